//! The protos as their readers meet them: every rpc says how it may be refused, and every reason says how it
//! is told.

use std::{
    collections::{BTreeMap, BTreeSet},
    fs,
    path::{Path, PathBuf},
};

use stellwerk::grpc::access_rules::{AccessRules, DESCRIPTORS};

fn files() -> Vec<PathBuf> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("proto/stellwerk/v1");
    let mut files: Vec<_> = fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path()).collect();
    files.sort();
    files
}

/// What stands on a line of its own, with the comment above it.
fn commented(text: &str) -> Vec<(String, String)> {
    let mut commented = Vec::new();
    let mut comment = String::new();
    for line in text.lines().map(str::trim) {
        match line.strip_prefix("//") {
            Some(words) => comment = format!("{comment} {}", words.trim()),
            None => commented.push((line.to_string(), std::mem::take(&mut comment))),
        }
    }
    commented
}

/// Each reason with its gRPC code, as `error.proto` tells them.
fn reasons() -> BTreeMap<String, String> {
    let error = files().into_iter().find(|file| file.ends_with("error.proto")).unwrap();
    let lines = commented(&fs::read_to_string(error).unwrap());
    let reasons = lines.into_iter().filter_map(|(line, comment)| {
        let name = line.split_once(" = ")?.0.strip_prefix("ERROR_REASON_")?.to_string();
        let code = comment.trim().split([':', ' ']).next()?.to_string();
        Some((name, code))
    });
    reasons.filter(|(name, _)| name != "UNSPECIFIED").collect()
}

/// Each rpc with its comment.
fn rpcs() -> BTreeMap<String, String> {
    let mut rpcs = BTreeMap::new();
    for file in files() {
        let mut service = String::new();
        for (line, comment) in commented(&fs::read_to_string(file).unwrap()) {
            if let Some(rest) = line.strip_prefix("service ") {
                service = rest.trim_end_matches([' ', '{']).to_string();
            } else if let Some(rest) = line.strip_prefix("rpc ") {
                let name = rest.split('(').next().unwrap();
                rpcs.insert(format!("/stellwerk.v1.{service}/{name}"), comment);
            }
        }
    }
    rpcs
}

/// A code or reason: capital letters and underscores.
fn is_name(word: &str) -> bool {
    word.len() > 3 && word.bytes().all(|byte| byte.is_ascii_uppercase() || byte == b'_')
}

/// The codes and reasons of a comment, as in `NOT_FOUND / PATIENT_NOT_FOUND; …`: each reason with the code
/// before it.
fn named(comment: &str) -> Vec<(String, String)> {
    let words = comment.split([' ', ',', ';', '.', '(', ')']).filter(|word| !word.is_empty());
    let words: Vec<&str> = words.collect();
    let mut named = Vec::new();
    let mut code = "";
    for (at, word) in words.iter().enumerate() {
        if words.get(at + 1) == Some(&"/") {
            code = word;
        } else if is_name(word) {
            named.push((code.to_string(), word.to_string()));
        }
    }
    named
}

#[test]
fn every_rpcs_comment_names_its_errors_under_their_codes() {
    let (reasons, rpcs) = (reasons(), rpcs());
    let rules = AccessRules::read(DESCRIPTORS).unwrap();

    let mut wrong = Vec::new();
    for (rpc, comment) in &rpcs {
        let named = named(comment);
        if named.is_empty() && !comment.contains("No errors of its own.") {
            wrong.push(format!("{rpc} names no error"));
        }
        for (code, reason) in named {
            if reasons.get(&reason) != Some(&code) {
                wrong.push(format!("{rpc}: {code} / {reason}, but {:?}", reasons.get(&reason)));
            }
        }
    }

    assert_eq!(wrong, [""; 0]);
    let described: BTreeSet<&str> = rpcs.keys().map(String::as_str).collect();
    assert_eq!(described, rules.all().map(|(path, _)| path).collect::<BTreeSet<_>>());
}

#[test]
fn every_reason_of_a_refusal_begins_its_comment_with_its_code() {
    let codes = [
        "INVALID_ARGUMENT",
        "UNAUTHENTICATED",
        "PERMISSION_DENIED",
        "NOT_FOUND",
        "ALREADY_EXISTS",
        "FAILED_PRECONDITION",
        "RESOURCE_EXHAUSTED",
        "UNAVAILABLE",
        "DEADLINE_EXCEEDED",
        "INTERNAL",
    ];

    let reasons = reasons();

    assert!(reasons.len() > 40, "{}", reasons.len());
    let odd: Vec<_> = reasons.iter().filter(|(_, code)| !codes.contains(&code.as_str())).collect();
    assert!(odd.is_empty(), "{odd:?}");
}
