//! What a scenario changes of the shipped configuration: lines of `lifecycle.toml`, as a comparison of two versions shows
//! them.

use std::{
    collections::BTreeMap,
    fs,
    path::{Path, PathBuf},
};

use baton_config::load_from;
use baton_core::rules::Rules;

/// The file that scenarios change.
const FILE: &str = "lifecycle.toml";

/// Changes below the headers of tables.
pub struct Variant<'t>(Vec<Change<'t>>);

#[derive(Default)]
struct Change<'t> {
    header: &'t str,
    taken: Vec<&'t str>,
    put: Vec<&'t str>,
}

impl<'t> Variant<'t> {
    /// What stands in a scenario: `@ [table]`, then `- a line that goes` and `+ a line that comes`.
    pub fn of(text: &'t str) -> Self {
        let mut changes: Vec<Change<'t>> = Vec::new();
        for line in text.lines() {
            if let Some(header) = line.strip_prefix("@ ") {
                changes.push(Change {
                    header: header.trim(),
                    ..Change::default()
                });
            } else if let Some(change) = changes.last_mut() {
                change.taken.extend(line.strip_prefix("- "));
                change.put.extend(line.strip_prefix("+ "));
            }
        }
        Self(changes)
    }

    /// The shipped rules with the changes; none without any.
    pub fn rules(&self) -> Result<Option<Rules>, String> {
        if self.0.is_empty() {
            return Ok(None);
        }
        let root = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../../config");
        let mut files = BTreeMap::new();
        read(&root, &root, &mut files);
        let text = files.get_mut(Path::new(FILE)).unwrap();
        for change in &self.0 {
            change.make(text)?;
        }
        let loaded = load_from(&files, &baton_config::Environment::default());
        let shown: Vec<String> = loaded.problems.iter().map(|p| p.message.clone()).collect();
        loaded.rules.map(Some).ok_or_else(|| shown.join("; "))
    }
}

impl Change<'_> {
    fn make(&self, text: &mut String) -> Result<(), String> {
        let header = format!("\n{}\n", self.header);
        let Some(at) = text.find(&header) else {
            return Err(format!("{FILE} has no {}", self.header));
        };
        let below = at + header.len();
        let end = text[below..]
            .find("\n[")
            .map_or(text.len(), |end| below + end);
        let mut body = text[below..end].to_owned();
        for line in &self.taken {
            let line = format!("{line}\n");
            if !body.contains(&line) {
                let line = line.trim();
                return Err(format!("{FILE} has no `{line}` under {}", self.header));
            }
            body = body.replacen(&line, "", 1);
        }
        let put: String = self.put.iter().map(|line| format!("{line}\n")).collect();
        // Below the others, so that a table may come as well.
        text.replace_range(below..end, &format!("{}\n{put}", body.trim_end()));
        Ok(())
    }
}

fn read(folder: &Path, root: &Path, files: &mut BTreeMap<PathBuf, String>) {
    for entry in fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            read(&path, root, files);
        } else if path.extension().is_some() {
            let name = path.strip_prefix(root).unwrap().to_owned();
            files.insert(name, fs::read_to_string(&path).unwrap());
        }
    }
}
