//! Puts the repository's own configuration into the binary, so that the first command needs no file.

use std::{env, fmt::Write as _, fs, io, path::Path};

fn main() -> io::Result<()> {
    let root = env::var("CARGO_MANIFEST_DIR").map_err(io::Error::other)?;
    let config = Path::new(&root).join("../../config");
    println!("cargo::rerun-if-changed={}", config.display());
    let mut list = String::from("&[\n");
    for prefix in ["", "vocabularies", "holidays"] {
        let folder = config.join(prefix);
        if !folder.is_dir() {
            continue;
        }
        println!("cargo::rerun-if-changed={}", folder.display());
        let mut files = fs::read_dir(&folder)?
            .map(|entry| entry.map(|e| e.path()))
            .collect::<io::Result<Vec<_>>>()?;
        files.sort();
        for file in files {
            if file.extension().is_none_or(|ext| ext != "toml") {
                continue;
            }
            let (Some(name), full) = (file.file_name(), file.canonicalize()?) else {
                continue;
            };
            let name = Path::new(prefix).join(name);
            println!("cargo::rerun-if-changed={}", full.display());
            // Debug of a text is a valid literal of it.
            let _ = writeln!(
                list,
                "    ({:?}, include_str!({:?})),",
                name.display().to_string(),
                full.display().to_string()
            );
        }
    }
    list.push(']');
    let out = env::var("OUT_DIR").map_err(io::Error::other)?;
    fs::write(Path::new(&out).join("shipped.rs"), list)
}
