use clap::Parser;

use super::*;

#[derive(Parser)]
struct Command {
    #[command(flatten)]
    config: Config,
}

fn parse(arguments: &[&str]) -> Result<Config, clap::Error> {
    Command::try_parse_from(["stellwerk"].iter().chain(arguments)).map(|command| command.config)
}

#[test]
fn spans_have_a_unit_and_bounds() {
    assert_eq!(span("500ms"), Ok(Duration::from_millis(500)));
    assert_eq!(span("30s"), Ok(Duration::from_secs(30)));
    assert_eq!(span("5m"), Ok(Duration::from_secs(300)));
    assert_eq!(span("2h"), Ok(Duration::from_secs(7200)));
    assert_eq!(span("90d"), Ok(Duration::from_secs(90 * 86_400)));
    for text in
        ["", "30", "s", "-1s", "1.5s", "30 s", "30S", "99999999999d", "184467440737095516159s", "9999d"]
    {
        assert!(span(text).is_err(), "{text}");
    }
}

#[test]
fn the_public_url_loses_its_slash_and_defaults_to_the_adapters_address() {
    let default = parse(&["--http-address", "127.0.0.1:99"]).unwrap();
    let given = parse(&["--public-url", "https://hooks.example.org/base/"]).unwrap();

    assert_eq!(default.public.base(), "http://127.0.0.1:99");
    assert_eq!(given.public.base(), "https://hooks.example.org/base");
    for text in [
        "hooks.example.org",
        "ftp://hooks.example.org",
        "https://u:p@hooks.example.org",
        "https://h.org/?a=b",
    ] {
        assert!(parse(&["--public-url", text]).is_err(), "{text}");
    }
}

#[test]
fn a_single_key_comes_after_the_listed_ones_and_empty_ones_do_not_count() {
    let keys = |arguments: &[&str]| {
        parse(arguments).unwrap().keys.root_keys().unwrap().map(|k| k.expose_secret().to_owned())
    };

    assert_eq!(keys(&["--root-keys", "", "--integration-encryption-key", " "]), None);
    assert_eq!(
        keys(&["--root-keys", "r2:aa,r1:bb", "--integration-encryption-key", "cc"]).unwrap(),
        "r2:aa,r1:bb,integration:cc"
    );
}

#[test]
fn the_migrations_fall_back_to_the_services_database_and_an_empty_url_is_none() {
    let one = parse(&["--database-url", "postgres://a/b"]).unwrap().database;
    let none = parse(&["--database-url", "", "--migration-database-url", ""]).unwrap().database;

    assert_eq!(one.migration_url(), Some("postgres://a/b"));
    assert_eq!((none.url(), none.migration_url()), (None, None));
}

#[test]
fn secrets_are_not_printed() {
    let config = parse(&["--database-url", "postgres://u:hidden@h/d", "--root-keys", "r1:hidden"]).unwrap();

    assert!(!format!("{config:?}").contains("hidden"));
}

#[test]
fn an_origin_is_written_as_browsers_write_it() {
    let origin = |text: &str| text.parse::<CorsOrigin>();
    let header = http::HeaderValue::from_static;

    assert!(origin("https://desk.example.org").unwrap().admits(&header("https://desk.example.org")));
    assert!(!origin("https://desk.example.org").unwrap().admits(&header("https://desk.example.org:8443")));
    for text in ["*", "null", "desk.example.org", "https://desk.example.org/app", "ftp://desk.example.org"] {
        assert!(origin(text).is_err(), "{text}");
    }
}

#[test]
fn loopback_means_every_port_of_this_machine_and_no_other() {
    let loopback: CorsOrigin = "loopback".parse().unwrap();
    let admits = |text| loopback.admits(&http::HeaderValue::from_static(text));

    for text in ["http://localhost:5173", "http://127.0.0.1:3000", "http://[::1]:80", "https://localhost"] {
        assert!(admits(text), "{text}");
    }
    for text in
        ["null", "https://example.org", "http://localhost.example.org", "http://127.0.0.1.example.org"]
    {
        assert!(!admits(text), "{text}");
    }
}

#[test]
fn counts_that_make_no_sense_are_refused() {
    for arguments in [
        ["--database-pool-size", "0"],
        ["--max-concurrent-requests", "0"],
        ["--worker-concurrency", "0"],
        ["--max-connections", "0"],
        ["--max-message-bytes", "5"],
        ["--trusted-proxies", "10.0.0.0/33"],
    ] {
        assert!(parse(&arguments).is_err(), "{arguments:?}");
    }
}

#[test]
fn an_alarm_is_raised_by_default_where_the_rules_say_so_and_elsewhere_when_asked_to() {
    let default = parse(&[]).unwrap().alerts.thresholds();
    let given = parse(&["--alert-sync-success", "97.5", "--alert-freshness", "2h"]).unwrap();

    assert_eq!(default, Thresholds::default());
    let given = given.alerts.thresholds();
    assert_eq!((given.sync_success, given.freshness), (0.975, Duration::from_secs(7200)));
    for text in ["101", "-1", "NaN", "most"] {
        assert!(parse(&[&format!("--alert-sync-success={text}")]).is_err(), "{text}");
    }
}

#[test]
fn a_process_serves_works_or_does_both() {
    let does = |arguments: &[&str]| {
        let listen = parse(arguments).unwrap().listen;
        (listen.api(), listen.worker())
    };

    assert_eq!(does(&[]), (true, true));
    assert_eq!(does(&["--no-worker"]), (true, false));
    assert_eq!(does(&["--worker-only"]), (false, true));
    assert_eq!(does(&["--no-worker", "--worker-only"]), (false, false));
}

#[test]
fn a_cron_secret_that_can_be_guessed_is_none() {
    let secret =
        |text: &str| parse(&["--cron-secret", text]).unwrap().callers.cron_secret().map(str::to_owned);

    assert_eq!(secret(""), None);
    assert_eq!(secret(&"x".repeat(31)), None);
    assert_eq!(secret(&"x".repeat(32)), Some("x".repeat(32)));
}
