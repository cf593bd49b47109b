//! Definitions from folders (spec 7): `PACKAGE/msg/*.msg` and `PACKAGE/srv/*.srv`.

use std::{
    fs, io,
    path::{Path, PathBuf},
};

use keyway_ros_types::{MessageDefinition, Registry, RegistryError, ServiceDefinition, TypeName};

/// The types that come with ROS, and those of folders. What a folder says differently from ROS is refused.
pub fn registry(folders: &[PathBuf]) -> Result<Registry, String> {
    let mut registry = Registry::standard();
    for folder in folders {
        let read = read_folder(&mut registry, folder);
        read.map_err(|error| format!("{}: {error}", folder.display()))?;
    }
    Ok(registry)
}

#[derive(Debug, thiserror::Error)]
enum FolderError {
    #[error(transparent)]
    Io(#[from] io::Error),
    #[error(transparent)]
    Type(#[from] RegistryError),
}

fn read_folder(registry: &mut Registry, folder: &Path) -> Result<(), FolderError> {
    for package in fs::read_dir(folder)? {
        let package = package?;
        let Ok(name) = package.file_name().into_string() else { continue };
        for (kind, path) in files(&package.path())? {
            let text = fs::read_to_string(&path)?;
            let stem = path.file_stem().and_then(|stem| stem.to_str()).unwrap_or_default();
            let of = TypeName::new(&name, stem).map_err(RegistryError::from)?;
            let added = match kind {
                "msg" => MessageDefinition::parse(of, &text)
                    .map_err(RegistryError::from)
                    .and_then(|message| registry.add_message(message)),
                _ => ServiceDefinition::parse(of, &text)
                    .map_err(RegistryError::from)
                    .and_then(|service| registry.add_service(service)),
            };
            match added {
                // The same type with comments is the same type: those that come with ROS are known by their checksums.
                Err(RegistryError::Conflict(known)) => tracing::debug!(%known, "defined already"),
                added => added?,
            }
        }
    }
    Ok(())
}

fn files(package: &Path) -> io::Result<Vec<(&'static str, PathBuf)>> {
    let mut found = Vec::new();
    for kind in ["msg", "srv"] {
        let Ok(entries) = fs::read_dir(package.join(kind)) else { continue };
        for entry in entries {
            let path = entry?.path();
            if path.extension().is_some_and(|extension| extension == kind) {
                found.push((kind, path));
            }
        }
    }
    found.sort();
    Ok(found)
}
