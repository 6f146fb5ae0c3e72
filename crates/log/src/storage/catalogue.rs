//! All topics of the log, and the folders they live in.
//!
//! Each topic has a folder `topics/<id>` with a file `topic` and a folder per partition. A folder
//! without that file is what remains of an interrupted creation or deletion.

use std::collections::{BTreeMap, HashMap};
use std::fs;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError, RwLock};

use uuid::Uuid;

use super::partition::{Durability, Partition};
use super::topic::{SettingError, Topic, TopicConfig, TopicState, valid_name};
use super::{StorageError, files};

const TOPIC_FILE: &str = "topic";
const FIRST_LINE: &str = "baton-log topic 1";

#[derive(Debug)]
pub(crate) struct Catalogue {
    dir: PathBuf,
    durability: Durability,
    max_partitions: usize,
    topics: RwLock<Topics>,
    /// Held while topics are made, changed or deleted.
    changing: Mutex<()>,
}

#[derive(Debug, Default, Clone)]
struct Topics {
    by_name: BTreeMap<String, Arc<Topic>>,
    by_id: HashMap<Uuid, Arc<Topic>>,
}

#[derive(Debug, thiserror::Error)]
pub(crate) enum CatalogueError {
    #[error("there is a topic of that name already")]
    Exists,
    #[error("there is no such topic")]
    Unknown,
    #[error("a topic's name has 1 to 249 letters, digits, dots, underscores or hyphens")]
    Name,
    #[error("a topic has at least 1 partition, and never fewer than before")]
    Partitions,
    #[error("the log would have more than {0} partitions; raise max_partitions or delete topics")]
    TooMany(usize),
    #[error("this log keeps one replica; ask for a replication factor of 1 or -1")]
    Replicas,
    #[error(transparent)]
    Setting(#[from] SettingError),
    #[error(transparent)]
    Storage(#[from] StorageError),
}

impl Catalogue {
    pub(crate) fn open(
        data_dir: &Path,
        durability: Durability,
        max_partitions: usize,
    ) -> Result<Self, StorageError> {
        let dir = data_dir.join("topics");
        files::create_dir(&dir)?;
        let mut topics = Topics::default();
        let fail = |e| StorageError::new("list", &dir, e);
        for entry in fs::read_dir(&dir).map_err(fail)? {
            let path = entry.map_err(fail)?.path();
            match open_topic(&path, durability)? {
                Some(topic) => topics.insert(Arc::new(topic)),
                None => remove_tree(&path)?,
            }
        }
        Ok(Self {
            dir,
            durability,
            max_partitions,
            topics: RwLock::new(topics),
            changing: Mutex::new(()),
        })
    }

    pub(crate) fn by_name(&self, name: &str) -> Option<Arc<Topic>> {
        self.read(|t| t.by_name.get(name).cloned())
    }

    pub(crate) fn by_id(&self, id: Uuid) -> Option<Arc<Topic>> {
        self.read(|t| t.by_id.get(&id).cloned())
    }

    pub(crate) fn all(&self) -> Vec<Arc<Topic>> {
        self.read(|t| t.by_name.values().cloned().collect())
    }

    fn read<T>(&self, f: impl FnOnce(&Topics) -> T) -> T {
        f(&self.topics.read().unwrap_or_else(PoisonError::into_inner))
    }

    fn count_partitions(&self) -> usize {
        self.all().iter().map(|t| t.state().partitions.len()).sum()
    }

    pub(crate) fn create(
        &self,
        name: &str,
        partitions: i32,
        config: TopicConfig,
        validate_only: bool,
    ) -> Result<Option<Arc<Topic>>, CatalogueError> {
        let _turn = self.changing.lock().unwrap_or_else(PoisonError::into_inner);
        if !valid_name(name) {
            return Err(CatalogueError::Name);
        }
        if self.by_name(name).is_some() {
            return Err(CatalogueError::Exists);
        }
        let count = usize::try_from(partitions)
            .ok()
            .filter(|n| *n > 0)
            .ok_or(CatalogueError::Partitions)?;
        if self.count_partitions() + count > self.max_partitions {
            return Err(CatalogueError::TooMany(self.max_partitions));
        }
        if validate_only {
            return Ok(None);
        }
        let id = Uuid::new_v4();
        let dir = self.dir.join(id.simple().to_string());
        let config = Arc::new(config);
        let made = self.make(&dir, id, name, count, &config);
        let opened = match made {
            Ok(opened) => opened,
            Err(e) => {
                // Without its file the folder counts for nothing; give the space back.
                let _ = fs::remove_dir_all(&dir);
                return Err(e.into());
            }
        };
        let topic = Arc::new(Topic::new(name.to_owned(), id, config, opened));
        self.write(|t| t.insert(topic.clone()));
        Ok(Some(topic))
    }

    fn make(
        &self,
        dir: &Path,
        id: Uuid,
        name: &str,
        count: usize,
        config: &Arc<TopicConfig>,
    ) -> Result<Vec<Arc<Partition>>, StorageError> {
        files::create_dir(dir)?;
        let opened = open_partitions(dir, 0..count, self.durability, config)?;
        write_topic(dir, id, name, count, config)?;
        files::sync_dir(&self.dir)?;
        Ok(opened)
    }

    pub(crate) fn delete(&self, topic: &Topic) -> Result<(), CatalogueError> {
        let _turn = self.changing.lock().unwrap_or_else(PoisonError::into_inner);
        if self.by_id(topic.id).is_none() {
            return Err(CatalogueError::Unknown);
        }
        let dir = self.dir.join(topic.id.simple().to_string());
        // From here on the topic is gone, whatever happens to its files.
        files::remove_if_there(&dir.join(TOPIC_FILE))?;
        files::sync_dir(&dir)?;
        self.write(|t| {
            t.by_name.remove(&topic.name);
            t.by_id.remove(&topic.id);
        });
        for partition in topic.state().partitions.iter() {
            partition.close();
        }
        remove_tree(&dir)?;
        Ok(())
    }

    pub(crate) fn add_partitions(
        &self,
        topic: &Topic,
        count: i32,
        validate_only: bool,
    ) -> Result<(), CatalogueError> {
        let _turn = self.changing.lock().unwrap_or_else(PoisonError::into_inner);
        let state = topic.state();
        let had = state.partitions.len();
        let count = usize::try_from(count)
            .ok()
            .filter(|n| *n > had)
            .ok_or(CatalogueError::Partitions)?;
        if self.count_partitions() - had + count > self.max_partitions {
            return Err(CatalogueError::TooMany(self.max_partitions));
        }
        if validate_only {
            return Ok(());
        }
        let dir = self.dir.join(topic.id.simple().to_string());
        let added = open_partitions(&dir, had..count, self.durability, &state.config)?;
        write_topic(&dir, topic.id, &topic.name, count, &state.config)?;
        topic.set_state(TopicState {
            config: state.config,
            partitions: state.partitions.iter().cloned().chain(added).collect(),
        });
        Ok(())
    }

    pub(crate) fn configure(
        &self,
        topic: &Topic,
        change: impl FnOnce(&TopicConfig) -> Result<TopicConfig, SettingError>,
        validate_only: bool,
    ) -> Result<(), CatalogueError> {
        let _turn = self.changing.lock().unwrap_or_else(PoisonError::into_inner);
        let state = topic.state();
        let config = Arc::new(change(&state.config)?);
        if validate_only {
            return Ok(());
        }
        let dir = self.dir.join(topic.id.simple().to_string());
        write_topic(&dir, topic.id, &topic.name, state.partitions.len(), &config)?;
        for partition in state.partitions.iter() {
            partition.set_config(config.clone());
        }
        topic.set_state(TopicState {
            config,
            partitions: state.partitions,
        });
        Ok(())
    }

    fn write(&self, f: impl FnOnce(&mut Topics)) {
        f(&mut self.topics.write().unwrap_or_else(PoisonError::into_inner));
    }
}

impl Topics {
    fn insert(&mut self, topic: Arc<Topic>) {
        self.by_id.insert(topic.id, topic.clone());
        self.by_name.insert(topic.name.clone(), topic);
    }
}

fn open_partitions(
    dir: &Path,
    range: std::ops::Range<usize>,
    durability: Durability,
    config: &Arc<TopicConfig>,
) -> Result<Vec<Arc<Partition>>, StorageError> {
    let mut opened = Vec::with_capacity(range.len());
    for index in range {
        let path = dir.join(index.to_string());
        let (partition, mended) = Partition::open(&path, durability, config.clone())?;
        if mended.cut_bytes > 0 {
            tracing::warn!(
                partition = %path.display(),
                bytes = mended.cut_bytes,
                "cut a torn tail off the log"
            );
        }
        if mended.damaged_bytes > 0 {
            tracing::error!(
                partition = %path.display(),
                bytes = mended.damaged_bytes,
                "part of an old segment is damaged and is skipped"
            );
        }
        opened.push(Arc::new(partition));
    }
    Ok(opened)
}

fn write_topic(
    dir: &Path,
    id: Uuid,
    name: &str,
    partitions: usize,
    config: &TopicConfig,
) -> Result<(), StorageError> {
    let mut text = format!("{FIRST_LINE}\nid {id}\nname {name}\npartitions {partitions}\n");
    for (setting, value) in &config.set {
        text.push_str(&format!("set {setting} {value}\n"));
    }
    let crc = crc32c::crc32c(text.as_bytes());
    text.push_str(&format!("crc {crc:08x}\n"));
    files::replace(&dir.join(TOPIC_FILE), text.as_bytes())
}

/// `None` when the folder holds no topic.
fn open_topic(dir: &Path, durability: Durability) -> Result<Option<Topic>, StorageError> {
    if !dir.is_dir() {
        return Ok(None);
    }
    let path = dir.join(TOPIC_FILE);
    let Some(bytes) = files::read_if_there(&path)? else {
        return Ok(None);
    };
    let damaged = || {
        StorageError::new(
            "understand",
            &path,
            std::io::Error::new(
                std::io::ErrorKind::InvalidData,
                "the topic's file is damaged",
            ),
        )
    };
    let (name, id, count, config) = String::from_utf8(bytes)
        .ok()
        .and_then(|text| parse_topic(&text))
        .ok_or_else(damaged)?;
    let config = Arc::new(config);
    let partitions = open_partitions(dir, 0..count, durability, &config)?;
    Ok(Some(Topic::new(name, id, config, partitions)))
}

fn parse_topic(text: &str) -> Option<(String, Uuid, usize, TopicConfig)> {
    let (body, crc) = text.trim_end().rsplit_once('\n')?;
    let body = format!("{body}\n");
    let crc = u32::from_str_radix(crc.strip_prefix("crc ")?, 16).ok()?;
    if crc32c::crc32c(body.as_bytes()) != crc {
        return None;
    }
    let mut lines = body.lines();
    if lines.next()? != FIRST_LINE {
        return None;
    }
    let id = Uuid::parse_str(lines.next()?.strip_prefix("id ")?).ok()?;
    let name = lines.next()?.strip_prefix("name ")?.to_owned();
    let count = lines.next()?.strip_prefix("partitions ")?.parse().ok()?;
    let mut set = Vec::new();
    for line in lines {
        set.push(line.strip_prefix("set ")?.split_once(' ')?);
    }
    Some((name, id, count, TopicConfig::new(set).ok()?))
}

fn remove_tree(path: &Path) -> Result<(), StorageError> {
    let done = if path.is_dir() {
        fs::remove_dir_all(path)
    } else {
        fs::remove_file(path)
    };
    done.map_err(|e| StorageError::new("delete", path, e))
}
