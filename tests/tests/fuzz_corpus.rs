//! Every input that is kept for the fuzz targets goes through its target (`keyway_tests::fuzz`).

use std::{
    collections::BTreeSet,
    fs,
    io::Write,
    panic,
    path::{Path, PathBuf},
};

use keyway_tests::fuzz::TARGETS;

#[test]
fn every_kept_input_goes_through_its_target() {
    let (mut count, mut failed) = (0, Vec::new());
    for (target, run) in TARGETS {
        let inputs = files(&corpus().join(target));
        assert!(inputs.len() > 10, "{target} has only {}", inputs.len());
        for input in inputs {
            let bytes = fs::read(&input).unwrap();
            if panic::catch_unwind(|| run(&bytes)).is_err() {
                failed.push(input);
            }
            count += 1;
        }
    }
    // Unlike `println!`, this is shown for tests that pass as well.
    writeln!(std::io::stderr(), "fuzz corpus: {count} inputs replayed through {} targets", TARGETS.len()).unwrap();
    assert!(failed.is_empty(), "{failed:#?}");
}

#[test]
fn every_target_has_a_corpus_and_a_program() {
    let names: BTreeSet<_> = TARGETS.iter().map(|(name, _)| (*name).to_owned()).collect();
    let folders = fs::read_dir(corpus()).unwrap();
    let folders: BTreeSet<_> = folders.map(|entry| entry.unwrap().file_name().into_string().unwrap()).collect();
    assert_eq!(folders, names);
    let programs = files(&corpus().join("../fuzz_targets"));
    let programs: BTreeSet<_> = programs.iter().map(|path| path.file_stem().unwrap().to_str().unwrap()).collect();
    assert!(names.iter().map(String::as_str).eq(programs));
}

#[test]
fn the_corpus_stays_small() {
    let inputs = TARGETS.iter().flat_map(|(target, _)| files(&corpus().join(target)));
    let bytes: u64 = inputs.map(|input| fs::metadata(input).unwrap().len()).sum();
    assert!(bytes < 300 << 10, "{bytes} bytes");
}

fn corpus() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("fuzz/corpus")
}

fn files(folder: &Path) -> Vec<PathBuf> {
    let mut files: Vec<_> = fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path()).collect();
    files.sort();
    files
}
