//! What providers publish, where copies of it are at hand: descriptions of their APIs, sample bodies. For
//! tests; the copies are no part of this project.
//!
//! They lie below the folder that `$STELLWERK_SHARED` names, or else below `shared` beside this project's.
//! What is missing is said on standard error, past the harness that keeps what passing tests print; with
//! `$STELLWERK_SHARED_REQUIRED` it is a failure.

use std::{
    env, fs,
    io::{self, Write},
    path::{Path, PathBuf},
};

use serde_json::Value;

/// A JSON file below that folder; `None`, and a word on standard error, where it is not at hand.
///
/// Panics where it must be, and on a file that is no JSON.
pub fn json(file: &str) -> Option<Value> {
    let is_required = env::var_os("STELLWERK_SHARED_REQUIRED").is_some_and(|text| !text.is_empty());
    read(folder().as_deref(), file, is_required, &mut io::stderr())
}

fn folder() -> Option<PathBuf> {
    let named = env::var_os("STELLWERK_SHARED").filter(|name| !name.is_empty()).map(PathBuf::from);
    // Set by cargo for what it runs; a program that was installed looks nowhere.
    let beside = || Some(PathBuf::from(env::var_os("CARGO_MANIFEST_DIR")?).parent()?.join("shared"));
    named.or_else(beside)
}

fn read(folder: Option<&Path>, file: &str, is_required: bool, aloud: &mut impl Write) -> Option<Value> {
    let Some(text) = folder.and_then(|folder| fs::read_to_string(folder.join(file)).ok()) else {
        assert!(
            !is_required,
            "{file} is not at hand: STELLWERK_SHARED must name the folder that it lies below"
        );
        // Nobody may listen.
        let _ = writeln!(aloud, "NOT CHECKED: {file} is not at hand, so nothing is held against it");
        return None;
    };
    let json = serde_json::from_str(&text);
    assert!(json.is_ok(), "{file} is no JSON");
    json.ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    /// What was read, and what was said about it.
    fn tried(file: &str, is_required: bool) -> (Option<Value>, String) {
        let here = Path::new(env!("CARGO_MANIFEST_DIR"));
        let mut aloud = Vec::new();
        let found = read(Some(here), file, is_required, &mut aloud);
        (found, String::from_utf8(aloud).unwrap())
    }

    #[test]
    fn what_is_at_hand_is_read_without_a_word() {
        let (found, said) = tried("tests/data/calcom/ping.json", true);

        assert!(found.is_some_and(|json| json.is_object()));
        assert_eq!(said, "");
    }

    #[test]
    fn what_is_missing_is_said_aloud() {
        let (found, said) = tried("tests/data/none.json", false);

        assert_eq!(found, None);
        assert!(said.starts_with("NOT CHECKED: tests/data/none.json"), "{said}");
    }

    #[test]
    #[should_panic(expected = "tests/data/none.json is not at hand")]
    fn what_must_be_at_hand_and_is_not_fails() {
        tried("tests/data/none.json", true);
    }

    #[test]
    #[should_panic(expected = "README.md is no JSON")]
    fn a_damaged_copy_fails_whether_it_must_be_at_hand_or_not() {
        tried("README.md", false);
    }
}
