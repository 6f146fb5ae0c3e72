//! Reads the folder and puts the parts together.

use std::{
    collections::BTreeMap,
    fs, io,
    path::{Path, PathBuf},
};

use baton_core::{change::Format, rules::Rules};

use crate::{
    codes::Code,
    operate::{self, Environment},
    problem::{Problem, Problems, Severity, Source, Span},
    rules,
    settings::Settings,
    shape::{self, Shape},
    spec, syntax,
    tree::{Kind, Node, Table},
};

/// What a configuration says, or what is wrong with it.
#[derive(Clone, Debug)]
pub struct Loaded {
    /// None exactly if one of the problems is an error.
    pub rules: Option<Rules>,
    /// None exactly if one of the problems is an error.
    pub settings: Option<Settings>,
    /// All of them, by file, line and column.
    pub problems: Vec<Problem>,
    /// The texts of the files by the names that problems use, for [`crate::render`].
    pub sources: BTreeMap<String, String>,
    /// Files that secrets are read from, whether they are there or not.
    pub secret_files: Vec<PathBuf>,
}

impl Loaded {
    /// Whether anything prevents the use of the rules.
    #[must_use]
    pub fn has_errors(&self) -> bool {
        self.problems.iter().any(|p| p.severity == Severity::Error)
    }
}

/// The configuration cannot be read at all: `baton check` ends with status 2.
#[derive(Debug, thiserror::Error)]
pub enum Unreadable {
    #[error("there is no configuration folder {}; name one with --config", .0.display())]
    Missing(PathBuf),
    #[error("{} is no folder; name the folder that holds the .toml files", .0.display())]
    NotAFolder(PathBuf),
    #[error("{} holds no .toml file; copy the shipped config/ folder there", .0.display())]
    NoFiles(PathBuf),
    #[error("the configuration folder {} cannot be read; check its permissions", path.display())]
    Io { path: PathBuf, source: io::Error },
}

/// Larger files are no configuration.
const MAX_FILE: u64 = 8 << 20;

/// Reads `dir/*.toml`, `dir/vocabularies/*.toml` and `dir/holidays/*.toml`, with the environment of this process for secrets.
///
/// # Errors
/// If there is no such folder, it cannot be listed, or it holds no file to read. A single file that cannot be read
/// is a problem like others.
pub fn load(dir: &Path) -> Result<Loaded, Unreadable> {
    if !dir.exists() {
        return Err(Unreadable::Missing(dir.to_owned()));
    }
    if !dir.is_dir() {
        return Err(Unreadable::NotAFolder(dir.to_owned()));
    }
    let mut files = BTreeMap::new();
    list(dir, "", &mut files)?;
    for below in [VOCABULARIES, HOLIDAYS] {
        let folder = dir.join(below);
        if folder.is_dir() {
            list(&folder, &format!("{below}/"), &mut files)?;
        }
    }
    if files.is_empty() {
        return Err(Unreadable::NoFiles(dir.to_owned()));
    }
    let environment = std::env::vars_os()
        .filter_map(|(name, value)| Some((name.into_string().ok()?, value.into_string().ok()?)))
        .collect();
    Ok(assemble(files, &environment))
}

const VOCABULARIES: &str = "vocabularies";
const HOLIDAYS: &str = "holidays";

/// What was found of a file: its bytes, or why there are none.
type Content = Result<Vec<u8>, String>;

fn list(dir: &Path, prefix: &str, files: &mut BTreeMap<String, Content>) -> Result<(), Unreadable> {
    let unreadable = |source| Unreadable::Io {
        path: dir.to_owned(),
        source,
    };
    for entry in fs::read_dir(dir).map_err(unreadable)? {
        let path = entry.map_err(unreadable)?.path();
        if path.extension().is_none_or(|ext| ext != "toml") {
            continue;
        }
        let name = path.file_name().unwrap_or_default().to_string_lossy();
        // Editors leave such files behind.
        if name.starts_with(['.', '#']) {
            continue;
        }
        let size = fs::metadata(&path).map_or(0, |m| m.len());
        let content = if size > MAX_FILE {
            Err(format!("it has {size} bytes, more than any configuration"))
        } else {
            fs::read(&path).map_err(|error| error.to_string())
        };
        files.insert(format!("{prefix}{name}"), content);
    }
    Ok(())
}

/// The same from texts in memory, by path below the configuration folder; `environment` is where secrets come from.
#[must_use]
pub fn load_from<T: AsRef<[u8]>>(
    files: &BTreeMap<PathBuf, T>,
    environment: &Environment,
) -> Loaded {
    assemble(contents(files), environment)
}

/// The rules alone, whatever is to be said of how the daemon runs: of an activation, for one, whose secrets may be gone.
/// None if the rules have errors.
#[must_use]
pub fn rules_from<T: AsRef<[u8]>>(files: &BTreeMap<PathBuf, T>) -> Option<Rules> {
    let mut problems = Problems::default();
    let (_, rules) = read_rules(contents(files), &mut problems);
    let (problems, _) = problems.finish();
    let usable = !problems.iter().any(|p| p.severity == Severity::Error);
    usable.then_some(rules)
}

fn contents<T: AsRef<[u8]>>(files: &BTreeMap<PathBuf, T>) -> BTreeMap<String, Content> {
    let files = files.iter().map(|(path, text)| {
        let name = path.to_string_lossy().replace('\\', "/");
        (name, Ok(text.as_ref().to_vec()))
    });
    files.collect()
}

fn assemble(files: BTreeMap<String, Content>, environment: &Environment) -> Loaded {
    let mut problems = Problems::default();
    let (root, rules) = read_rules(files, &mut problems);
    let settings = operate::read(&root, environment, &mut problems);
    let secret_files = operate::secret_files(&root);
    let (problems, sources) = problems.finish();
    let usable = !problems.iter().any(|p| p.severity == Severity::Error);
    Loaded {
        rules: usable.then_some(rules),
        settings: usable.then_some(settings),
        problems,
        sources: sources.into_iter().map(|s| (s.name, s.text)).collect(),
        secret_files,
    }
}

/// Everything but how the daemon runs, and what is left of the files for that.
fn read_rules(files: BTreeMap<String, Content>, problems: &mut Problems) -> (Table, Rules) {
    let mut root = Table::default();
    let mut vocabularies: BTreeMap<Format, Table> = BTreeMap::new();
    let mut holidays: BTreeMap<String, Table> = BTreeMap::new();
    let mut hasher = blake3::Hasher::new();
    for (number, (name, content)) in files.into_iter().enumerate() {
        let text = text_of(number, &name, content, problems);
        let Some(text) = text else { continue };
        let mut table = syntax::parse(number, &text, problems);
        let whole = Span {
            file: number,
            start: 0,
            end: text.find('\n').unwrap_or(text.len()),
        };
        if table.entries.is_empty() && is_silent(&text) {
            problems.report(Code::FileEmpty, whole, format!("`{name}` says nothing"));
            continue;
        }
        let below = name.split_once('/');
        let decides =
            below.is_some() || spec::RULE_SECTIONS.iter().any(|section| table.has(section));
        if decides {
            for part in [name.as_bytes(), text.as_bytes()] {
                hasher.update(&(part.len() as u64).to_le_bytes());
                hasher.update(part);
            }
        }
        match below {
            Some((HOLIDAYS, file)) => {
                let list = file.strip_suffix(".toml").unwrap_or(file).to_owned();
                table = shaped(table, &spec::HOLIDAYS, whole, problems);
                holidays.insert(list, table);
            }
            Some((_, file)) => {
                table = shaped(table, &Shape::Table(&spec::VOCABULARY), whole, problems);
                if let Some(format) = format_of(file, whole, problems) {
                    vocabularies.insert(format, table);
                }
            }
            None => root.merge(table, problems),
        }
    }
    let origin = Span::default();
    let root = shaped(root, &Shape::Table(&spec::ROOT), origin, problems);
    let version = &hasher.finalize().to_hex()[..12];
    let rules = rules::read(version, &root, &vocabularies, &holidays, origin, problems);
    (root, rules)
}

/// The text of a file, registered as a source; none where it cannot be judged.
fn text_of(number: usize, name: &str, content: Content, problems: &mut Problems) -> Option<String> {
    let mut register = |text: &str| {
        problems.sources.push(Source {
            name: name.to_owned(),
            text: text.to_owned(),
        });
    };
    let nowhere = Span {
        file: number,
        ..Span::default()
    };
    let bytes = match content {
        Ok(bytes) => bytes,
        Err(why) => {
            register("");
            problems.report(
                Code::FileUnreadable,
                nowhere,
                format!("`{name}` cannot be read: {why}"),
            );
            return None;
        }
    };
    match String::from_utf8(bytes) {
        Ok(text) => {
            // A byte order mark is no part of the text.
            let text = text
                .strip_prefix('\u{feff}')
                .map_or(text.clone(), str::to_owned);
            register(&text);
            Some(text)
        }
        Err(error) => {
            let at = error.utf8_error().valid_up_to();
            register(&String::from_utf8_lossy(error.as_bytes()));
            let span = Span {
                file: number,
                start: at,
                end: at.saturating_add('\u{fffd}'.len_utf8()),
            };
            problems.report(
                Code::NotUtf8,
                span,
                format!("`{name}` is not UTF-8 text from here on"),
            );
            None
        }
    }
}

fn is_silent(text: &str) -> bool {
    text.lines()
        .map(str::trim)
        .all(|line| line.is_empty() || line.starts_with('#'))
}

fn format_of(file: &str, whole: Span, problems: &mut Problems) -> Option<Format> {
    let name = file.strip_suffix(".toml").unwrap_or(file);
    Format::parse(name).or_else(|| {
        problems
            .unknown(
                Code::UnknownFormat,
                whole,
                "format",
                name,
                spec::FORMATS.iter().copied(),
            )
            .and_then(Format::parse)
    })
}

fn shaped(table: Table, shape: &Shape, span: Span, problems: &mut Problems) -> Table {
    let mut node = Node {
        span,
        kind: Kind::Table(table),
    };
    shape::check(&mut node, shape, problems);
    match node.kind {
        Kind::Table(table) => table,
        _ => Table::default(),
    }
}
