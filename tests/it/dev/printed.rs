//! The commands that `dev` prints, and those of README's import, run as they are printed.

use std::{fs, os::unix::fs::symlink, path::Path, process::Command};

use serde_json::Value;
use stellwerk::proto::LinkCandidateState;

use super::Dev;
use crate::support::{cluster::Folder, desk};

const README: &str = include_str!("../../../README.md");
const ROOT: &str = env!("CARGO_MANIFEST_DIR");

/// As a person pastes it into a shell in this folder. Returns what it printed.
fn paste(folder: &Path, key: &str, script: &str) -> String {
    let mut bash = Command::new("bash");
    bash.args(["-euo", "pipefail", "-c", script]).env("KEY", key).current_dir(folder);
    let ended = bash.output().expect("bash");
    let said = String::from_utf8_lossy(&ended.stderr);
    assert!(ended.status.success(), "{script}\n{said}");
    String::from_utf8(ended.stdout).expect("UTF-8")
}

/// All but grpcurl's, which npm does not bring.
fn commands(welcome: &str) -> Vec<&str> {
    let programs = ["body=", "curl ", "clients/"];
    let paragraphs = welcome.split("\n\n").map(|paragraph| paragraph.trim_matches('\n'));
    paragraphs.filter(|text| programs.iter().any(|program| text.trim_start().starts_with(program))).collect()
}

#[tokio::test]
async fn every_command_that_is_printed_works_as_it_is_printed() {
    let folder = Folder::new();
    let dev = Dev::start(&folder).await;
    let welcome = dev.welcome.text();

    let answers: Vec<(&str, Value)> = commands(&welcome)
        .into_iter()
        .map(|command| {
            let told = paste(Path::new(ROOT), "", command);
            (
                command,
                serde_json::from_str(&told).unwrap_or_else(|error| panic!("{command}: {error}: {told}")),
            )
        })
        .collect();
    let signed = paste(Path::new(ROOT), "", &answers[0].0.replace("hmac '", "hmac 'x"));
    dev.interrupt().await;

    assert_eq!(answers.len(), 11, "{welcome}");
    assert_eq!(answers[0].1["status"], "success", "{}", answers[0].1);
    assert!(signed.contains("MISMATCH"), "{signed}");
    let is_registered = |one: &Value| one["bookingEmail"] == "erika@example.org";
    assert!(answers[1].1["patients"].as_array().unwrap().iter().any(is_registered), "{}", answers[1].1);
    for (command, answer) in &answers {
        let refused = ["error", "errors", "code"].iter().any(|name| answer.get(name).is_some());
        assert!(!refused, "{command}: {answer}");
    }
    let of = |part: &str| &answers.iter().find(|(command, _)| command.contains(part)).expect(part).1;
    assert_eq!(of("BookAppointment")["appointment"]["providerSync"]["state"], "PROVIDER_SYNC_STATE_SYNCED");
    assert_eq!(of("GetPhase")["phase"]["phaseId"], of("UpdatePhase")["phase"]["phaseId"]);
}

/// The indented blocks of README's section on patients.
fn blocks() -> Vec<String> {
    let section = README.split("\n## Patients\n").nth(1).expect("a section").split("\n## ").next().unwrap();
    let paragraphs = section.split("\n\n").filter(|text| text.starts_with("    "));
    paragraphs.map(|text| text.lines().map(|line| format!("{}\n", line.trim())).collect()).collect()
}

/// The same commands, at another port, with their patience: what says "until" is asked until then.
fn patient_script(blocks: &[String], grpc: &str) -> String {
    let lines = blocks.iter().flat_map(|block| block.lines()).filter(|line| !line.contains("\"…\""));
    let line = |line: &str| match line.contains("/GetPatientImport ") {
        true => format!(
            "for look in {{1..300}}; do out=$({line}\n); [[ $out == *_RUNNING* ]] || break; done; \
             printf '%s\\n' \"$out\"\n"
        ),
        false => format!("{line}\n"),
    };
    lines.map(line).collect::<String>().replace("http://127.0.0.1:7210", grpc)
}

/// A row of a report without what is another one each time.
fn row(line: &str) -> Option<Value> {
    let mut row: Value = serde_json::from_str(line).ok()?;
    row.get("rowNumber")?;
    row.as_object_mut()?.remove("patientId");
    Some(row)
}

#[tokio::test]
async fn the_import_of_the_readme_does_what_the_readme_says() {
    let folder = Folder::new();
    let dev = Dev::start(&folder).await;
    let (key, grpc) = (dev.told("admin key"), dev.told("gRPC, grpc-web"));
    let pasted_in = Folder::new();
    fs::create_dir(&pasted_in.path).unwrap();
    symlink(Path::new(ROOT).join("clients"), pasted_in.path.join("clients")).unwrap();
    let blocks = blocks();
    let printed = blocks.iter().position(|block| block.starts_with('{')).expect("an answer");

    let told = paste(&pasted_in.path, &key, &patient_script(&blocks[..printed], &grpc));
    let open = desk::candidates(&dev.admin(), LinkCandidateState::Open).await.len();
    let decide = [&blocks[..1], &blocks[printed + 1..]].concat();
    let decided = paste(&pasted_in.path, &key, &patient_script(&decide, &grpc));
    let merged = desk::candidates(&dev.admin(), LinkCandidateState::Merged).await.len();
    dev.interrupt().await;

    let expected: Vec<Value> = blocks[printed].lines().filter_map(row).collect();
    let rows: Vec<Value> = told.lines().filter_map(row).collect();
    assert_eq!(expected.len(), 4);
    assert_eq!(rows[rows.len() - 4..], expected, "{told}");
    for count in ["createdRows", "candidateRows", "refusedRows", "delimiter", "encoding", "ignoredColumns"] {
        let said = |text: &str| {
            let at = text.rfind(&format!("\"{count}\":")).unwrap_or_else(|| panic!("{count}: {text}"));
            text[at..].split_inclusive(['"', ']']).take(4).collect::<String>()
        };
        assert_eq!(said(&told), said(&blocks[printed]), "{count}");
    }
    assert_eq!((open, merged), (1, 1), "{decided}");
}
