use std::{collections::HashMap, ffi::OsStr};

use clap::CommandFactory;

use super::*;
use crate::vault::VaultError;

fn parse(line: &str) -> Result<Cli, clap::Error> {
    Cli::try_parse_from(line.split(' '))
}

#[test]
fn the_command_line_is_whole() {
    Cli::command().debug_assert();
}

#[test]
fn every_argument_has_a_help_text() {
    fn visit(command: &clap::Command) {
        for argument in command
            .get_arguments()
            .filter(|argument| !["help", "version"].contains(&argument.get_id().as_str()))
        {
            assert!(argument.get_help().is_some(), "{} of {}", argument.get_id(), command.get_name());
        }
        command.get_subcommands().for_each(visit);
    }
    visit(&Cli::command());
}

#[test]
fn secrets_of_the_environment_are_not_in_the_help() {
    fn visit(command: &clap::Command) {
        for argument in command.get_arguments() {
            let names = ["DATABASE_URL", "ROOT_KEYS", "ENCRYPTION_KEY", "SECRET"];
            let env = argument.get_env().and_then(|name| name.to_str()).unwrap_or_default();
            assert!(
                argument.is_hide_env_values_set() || !names.iter().any(|name| env.contains(name)),
                "{env}"
            );
        }
        command.get_subcommands().for_each(visit);
    }
    visit(&Cli::command());
}

/// The cells of README's table of settings, by variable: option, meaning, default.
fn settings_in_readme() -> HashMap<&'static str, [&'static str; 3]> {
    let section = include_str!("../../README.md").split("\n## Settings\n").nth(1).unwrap();
    let rows = section.split("\n## ").next().unwrap().lines().filter_map(|line| line.strip_prefix("| `"));
    let cells = |row: &'static str| {
        let cells: Vec<&str> = row.trim_end_matches(" |").split(" | ").collect();
        let [variable, option, meaning, default] = cells[..] else { panic!("four cells: {row}") };
        (variable.split('`').next().unwrap(), [option, meaning, default])
    };
    rows.map(cells).collect()
}

/// The arguments of all commands that a variable may give.
fn settings(command: &clap::Command) -> Vec<clap::Arg> {
    let own = command.get_arguments().filter(|argument| argument.get_env().is_some()).cloned();
    own.chain(command.get_subcommands().flat_map(settings)).collect()
}

#[test]
fn the_readme_has_every_setting_with_its_default_and_no_other() {
    let mut told = settings_in_readme();
    // One of many: they are named after their provider.
    told.remove("ASANA_CLIENT_ID").expect("an example");

    let settings = settings(&Cli::command());

    for argument in &settings {
        let variable = argument.get_env().and_then(|name| name.to_str()).unwrap();
        let [option, meaning, default] =
            told.get(variable).unwrap_or_else(|| panic!("README lacks {variable}"));
        assert_eq!(*option, format!("`--{}`", argument.get_long().unwrap()), "{variable}");
        assert!(!meaning.is_empty() && !default.is_empty(), "{variable}");
        // Switches have none to be told, and the folder depends on who asks.
        let given = argument.get_default_values().first().and_then(|given| given.to_str());
        if let Some(given) = given.filter(|given| *given != "false" && variable != "STELLWERK_DATA_DIR") {
            assert_eq!(*default, format!("`{given}`"), "{variable}");
        }
    }
    told.retain(|variable, _| !settings.iter().any(|one| one.get_env() == Some(OsStr::new(variable))));
    assert!(told.is_empty(), "README has more: {told:?}");
}

#[test]
fn losing_all_data_takes_two_words() {
    assert!(parse("stellwerk migrate --down").is_err());
    assert!(parse("stellwerk migrate --yes").is_err());
    assert!(parse("stellwerk migrate --down --yes").is_ok());
}

#[test]
fn a_key_belongs_to_a_tenant_or_to_the_operators() {
    let tenant = "--tenant 0190c0de-0000-7000-8000-000000000001";

    assert!(parse(&format!("stellwerk api-key create --name desk {tenant} --role admin")).is_ok());
    assert!(parse("stellwerk api-key create --name watch --operator").is_ok());
    for unfit in [
        "--name desk --role admin".to_string(),
        format!("--name desk {tenant}"),
        format!("--name desk {tenant} --operator"),
        format!("--name desk {tenant} --role chief"),
        "--name watch --operator --role admin".to_string(),
    ] {
        assert!(parse(&format!("stellwerk api-key create {unfit}")).is_err(), "{unfit}");
    }
}

#[test]
fn exit_codes_tell_a_refusal_from_a_failure() {
    let newer = Failure::from(Error::internal(SchemaError::Newer("20990101".into())));
    let away = Failure::from(Error::Unavailable("connection refused".into()));
    let keyless = Failure::from(SetupError::from(VaultError::NoRootKey));

    assert_eq!([newer.exit_code, away.exit_code, keyless.exit_code], [3, 1, 3]);
    assert!(newer.to_string().contains("newer version"), "{newer}");
    assert!(keyless.to_string().contains("STELLWERK_ROOT_KEYS"), "{keyless}");
}

#[test]
fn a_failure_is_one_line_without_secrets() {
    let failure = Failure::failed(&*Source::from("cannot reach\n  postgres://u:hidden@h/d"));

    assert!(!failure.to_string().contains('\n') && !failure.to_string().contains("hidden"), "{failure}");
}

#[test]
fn a_url_that_cannot_be_read_is_named_and_not_repeated() {
    let failure = database::Database::named("postgres://u:hidden@h:port/d", "postgres://u@h/d").unwrap_err();

    assert_eq!(failure.exit_code, 3);
    assert!(
        failure.to_string().starts_with("DATABASE_URL ") && !failure.to_string().contains("hidden"),
        "{failure}"
    );
}
