//! What README prints, done as it is printed.

use stellwerk::issuer;

use crate::support::{
    app::IssuersFile,
    caller::TestCaller,
    database::Session,
    server::{Ended, Installation},
};

const README: &str = include_str!("../../../README.md");

/// What stands between a heading and the next one.
fn section(heading: &str) -> &'static str {
    let rest = README.split(&format!("\n{heading}\n")).nth(1).expect(heading);
    rest.split("\n#").next().expect(heading)
}

/// The lines of "In production" that begin like this, as they are to be typed.
fn printed(beginning: &str) -> Vec<&'static str> {
    section("## In production").lines().map(str::trim).filter(|line| line.starts_with(beginning)).collect()
}

/// PostgreSQL as its administrator has it. The superuser of our clusters has the name that README gives to
/// the owner of the tables.
async fn administrator(installation: &Installation) -> Session {
    let cluster = &installation.cluster;
    Session::connect(&cluster.owner_url("postgres")).await.run("CREATE ROLE boss SUPERUSER LOGIN").await;
    let boss = Session::connect(&cluster.url("boss", "postgres")).await;
    boss.run("ALTER ROLE stellwerk_owner RENAME TO nobody").await;
    boss
}

#[tokio::test]
async fn an_installation_is_made_as_the_readme_says() {
    let installation = Installation::bare().await;
    let administrator = administrator(&installation).await;
    let owner_url = installation.owner_url();
    let owner_alone = [("DATABASE_URL", ""), ("STELLWERK_MIGRATION_DATABASE_URL", owner_url.as_str())];

    for statement in printed("CREATE ") {
        administrator.run(statement).await;
    }
    let (mut server, mut ended) = (None, Vec::new());
    for line in printed("$ stellwerk ") {
        let arguments: Vec<&str> = line.split_whitespace().skip(2).collect();
        match arguments[0] {
            "serve" => server = Some(installation.serve(&arguments[1..]).await),
            "migrate" => ended.push((line, installation.run(&arguments, &owner_alone))),
            _ => ended.push((line, installation.run(&arguments, &[]))),
        }
    }

    let failed: Vec<_> = ended.iter().filter(|(_, ended)| ended.exit_code != Some(0)).collect();
    assert!(failed.is_empty(), "{failed:#?}");
    let strong = "SELECT rolname FROM pg_roles WHERE rolsuper AND rolname LIKE 'stellwerk%'";
    assert_eq!(administrator.lines(strong).await, [""; 0]);
    let admin_key = shown(&ended, "$ stellwerk tenant create", "admin key ");
    let server = server.expect("README says how to serve");
    super::settings(&TestCaller::new(server.channel(), Some(&admin_key))).await.unwrap();
    let operator_key = shown(&ended, "$ stellwerk api-key create --operator", "API key ");
    assert!(operator_key.starts_with("swk_"), "{operator_key}");
}

/// What a command printed behind a label.
fn shown(ended: &[(&str, Ended)], command: &str, label: &str) -> String {
    let (_, ended) = ended.iter().find(|(line, _)| line.starts_with(command)).expect(command);
    let line = ended.stdout.lines().find_map(|line| line.strip_prefix(label));
    line.unwrap_or_else(|| panic!("{label}: {ended:?}")).trim().to_owned()
}

#[tokio::test]
async fn an_owners_url_that_cannot_be_read_is_named() {
    let installation = Installation::bare().await;
    let variables =
        [("DATABASE_URL", ""), ("STELLWERK_MIGRATION_DATABASE_URL", "postgres://u:hidden@h:port/d")];

    let refused = installation.run(&["migrate"], &variables);

    super::assert_refused(&refused, 3, "STELLWERK_MIGRATION_DATABASE_URL cannot be read");
    assert!(!refused.stderr.contains("hidden"), "{refused:?}");
}

#[test]
fn the_issuers_file_is_one_that_is_accepted() {
    let example = section("### Callers with JWTs").split("```").nth(1).expect("an example");
    let example = serde_json::from_str(example.trim_start_matches("json")).expect("JSON");
    let file = IssuersFile::write(&example);

    let issuers = issuer::load(file.path()).unwrap();

    assert_eq!(issuers.len(), 1);
    assert_eq!(issuers[0].issuer, "https://id.example.com/");
}
