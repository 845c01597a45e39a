//! The command line: commands that a script can rely on, and refusals in one line.

mod doctor;
mod queue;
mod readme;

use std::{fs, net::TcpListener};

use serde_json::{Value, json};
use stellwerk::{
    proto::{self, SignatureScheme, WebhookEndpoint},
    vault::Vault,
};

use crate::support::{
    app::IssuersFile,
    booking_tool::TestBookingTool,
    caller::TestCaller,
    cluster::Folder,
    reason,
    said::said,
    server::{Ended, Installation, Server},
};

async fn settings(by: &TestCaller) -> Result<(), tonic::Status> {
    by.access().get_tenant_settings(proto::GetTenantSettingsRequest {}).await.map(|_| ())
}

fn text<'a>(answer: &'a Value, name: &str) -> &'a str {
    answer[name].as_str().unwrap_or_else(|| panic!("{name}: {answer}"))
}

/// A refusal is one line for a person, and says what to change.
fn assert_refused(ended: &Ended, exit_code: i32, what: &str) {
    assert_eq!(ended.exit_code, Some(exit_code), "{what}: {ended:?}");
    let lines: Vec<_> = ended.stderr.lines().collect();
    assert!(
        matches!(lines[..], [line] if line.starts_with("stellwerk: ") && line.contains(what)),
        "{what}: {lines:?}"
    );
    assert_eq!(ended.stdout, "", "{what}");
}

#[tokio::test]
async fn a_tenant_and_its_keys_are_made_listed_and_revoked() {
    let installation = Installation::new().await;
    let server = installation.serve(&[]).await;
    let create = ["tenant", "create", "--name=acme", "--idempotency-key=k-1"];

    let made = installation.ask(&create);
    let repeat = installation.ask(&create);
    let tenant = format!("--tenant={}", text(&made, "tenant_id"));
    let create_key = ["api-key", "create", &tenant, "--name=desk", "--role=hr", "--expires-in=90d"];
    let key = installation.ask(&create_key);
    let holder = TestCaller::new(server.channel(), key["api_key"].as_str());
    settings(&TestCaller::new(server.channel(), made["api_key"].as_str())).await.unwrap();
    settings(&holder).await.unwrap();
    let id = format!("--key={}", text(&key, "api_key_id"));
    let revoked = installation.ask(&["api-key", "revoke", &tenant, &id]);
    let listed = installation.ask(&["api-key", "list", &tenant]);

    assert_eq!((&repeat["tenant_id"], &repeat["api_key"]), (&made["tenant_id"], &Value::Null));
    assert_eq!(reason(&settings(&holder).await.unwrap_err()), "API_KEY_REVOKED");
    let names = ["desk", "first admin"].map(Value::from);
    let keys = listed["api_keys"].as_array().unwrap();
    assert_eq!(keys.iter().map(|key| key["name"].clone()).collect::<Vec<_>>(), names);
    assert_eq!(keys[0]["revoke_time"], revoked["revoke_time"]);
    assert!(keys[0]["last_use_time"].is_string() && keys[0]["expire_time"].is_string(), "{listed}");
    assert!(!listed.to_string().contains(text(&key, "api_key")));
}

#[tokio::test]
async fn a_phone_assistants_key_says_where_its_changes_come_from() {
    let installation = Installation::new().await;
    let made = installation.ask(&["tenant", "create", "--name=acme"]);
    let tenant = format!("--tenant={}", text(&made, "tenant_id"));
    let create =
        ["api-key", "create", &tenant, "--name=phone", "--role=service", "--scope=appointments:write"];

    let phone = installation.ask(&[&create[..], &["--origin=retell"]].concat());
    let unsaid = installation.ask(&create);
    let claimed = installation.run(&[&create[..], &["--origin=calcom"]].concat(), &[]);
    let listed = installation.ask(&["api-key", "list", &tenant]);
    let lines = installation.run(&["api-key", "list", &tenant], &[]).stdout;

    assert_eq!((&phone["origin"], &unsaid["origin"]), (&json!("retell"), &json!("api")));
    assert_eq!(claimed.exit_code, Some(2), "{claimed:?}");
    let origins: Vec<_> = listed["api_keys"].as_array().unwrap().iter().map(|key| &key["origin"]).collect();
    assert_eq!(origins, ["api", "retell", "admin"]);
    assert!(lines.lines().any(|line| line.contains("  retell  ") && line.ends_with("phone")), "{lines}");
}

/// P2.
#[tokio::test]
async fn a_webhook_address_is_made_and_its_secret_rotated() {
    let installation = Installation::new().await;
    let server = installation.serve(&[]).await;
    let made = installation.ask(&["tenant", "create", "--name=acme"]);
    let tenant = format!("--tenant={}", text(&made, "tenant_id"));

    let first = installation.ask(&["webhook", "create", &tenant, "--scheme=legacy"]);
    let endpoint = format!("--endpoint={}", text(&first, "webhook_endpoint_id"));
    let tool = tool(&server, &first);
    let before = tool.tell(&said("ping", json!({}))).await.status;
    let second = installation.ask(&["webhook", "rotate", &tenant, &endpoint, "--grace=0s"]);
    let after = tool.tell(&said("ping", json!({}))).await.status;
    let renewed = tool.with_secret(text(&second, "secret")).tell(&said("ping", json!({}))).await.status;

    assert_eq!([before, after, renewed].map(|status| status.as_u16()), [200, 401, 200]);
    assert_eq!((&second["url"], &second["scheme"]), (&first["url"], &json!("legacy")));
}

fn tool(server: &Server, made: &Value) -> TestBookingTool {
    let endpoint = WebhookEndpoint { url: text(made, "url").into(), ..Default::default() };
    TestBookingTool::new(server.http, SignatureScheme::Legacy, endpoint, text(made, "secret"))
}

/// P12.
#[tokio::test]
async fn the_doctor_finds_all_in_order_and_says_what_is_not() {
    let installation = Installation::new().await;
    let server = installation.serve(&[]).await;
    installation.tenant(&server, "acme").await;

    let healthy = installation.ask(&["doctor"]);
    let other_key = Vault::generate_root_key("other").unwrap();
    let wrong_keys = installation.run(&["doctor", "--json"], &[("STELLWERK_ROOT_KEYS", &other_key)]);
    let nowhere = [("DATABASE_URL", "postgres://nobody@/nothing?host=/nowhere")];
    let unreachable = installation.run(&["doctor", "--json"], &nowhere);

    let failed = |ended: &Ended| {
        let said: Value = serde_json::from_str(&ended.stdout).expect("JSON");
        let findings = said["findings"].as_array().expect("findings").clone();
        let failed = findings.into_iter().filter(|finding| finding["state"] == "failed");
        failed.map(|finding| (finding["check"].clone(), finding["advice"].is_string())).collect::<Vec<_>>()
    };
    assert_eq!(healthy["healthy"], true, "{healthy}");
    assert_eq!((wrong_keys.exit_code, unreachable.exit_code), (Some(1), Some(1)));
    assert_eq!(failed(&wrong_keys), [(json!("root keys"), true)]);
    assert_eq!(failed(&unreachable), [(json!("database"), true)]);
}

/// P2. Who starts it wrongly learns it at once, and nothing is served.
#[tokio::test]
async fn what_keeps_a_server_from_starting_is_one_line() {
    let installation = Installation::new().await;
    let taken = TcpListener::bind("127.0.0.1:0").unwrap();
    let taken = format!("--grpc-address={}", taken.local_addr().unwrap());
    let owner_url = installation.owner_url();
    let issuers = IssuersFile::write(&json!({ "not": "a list" }));
    let free = ["--grpc-address=127.0.0.1:0", "--http-address=127.0.0.1:0", "--metrics-address=127.0.0.1:0"];
    let refused = |setting: &str, variables: &[(&str, &str)]| {
        installation.run(&[&["serve"][..], &free[..], &[setting]].concat(), variables)
    };

    let nowhere = ("DATABASE_URL", "postgres://nobody@/nothing?host=/nowhere");
    let in_use = installation.run(&["serve", &taken, free[1], free[2]], &[]);
    assert_refused(&in_use, 3, "cannot listen on");
    assert_refused(&refused("--log=info", &[("DATABASE_URL", "")]), 3, "set DATABASE_URL");
    assert_refused(&refused("--log=info", &[nowhere]), 1, "cannot be reached");
    assert_refused(&refused("--log=info", &[("DATABASE_URL", &owner_url)]), 3, "the service's role is");
    assert_refused(&refused("--log=info", &[("STELLWERK_ROOT_KEYS", "")]), 3, "no root key was given");
    assert_refused(&refused("--log=info", &[("STELLWERK_ROOT_KEYS", "r1:abc")]), 3, "64 hex digits");
    let neither = installation.run(&["serve", "--no-worker", "--worker-only"], &[]);
    assert_refused(&neither, 3, "leave nothing to do");
    assert_refused(&refused(&issuers.setting(), &[]), 3, "the issuers file cannot be used");
    let newer = "INSERT INTO __diesel_schema_migrations (version) VALUES ('29991231000001')";
    installation.owner().await.run(newer).await;
    assert_refused(&refused("--log=info", &[]), 3, "newer version of stellwerk");
}

#[tokio::test]
async fn a_data_folder_that_cannot_be_one_is_refused_in_one_line() {
    let installation = Installation::new().await;
    let folder = Folder::new();
    fs::write(&folder.path, "a file").unwrap();
    let setting = format!("--data-dir={}", folder.path.display());
    let ports = [
        "--grpc-address",
        "--http-address",
        "--metrics-address",
        "--sandbox-address",
        "--sandbox-calcom-address",
        "--sandbox-asana-address",
    ];
    let free: Vec<String> = ports.iter().map(|name| format!("{name}=127.0.0.1:0")).collect();
    let mut arguments = vec!["dev", &setting];
    arguments.extend(free.iter().map(String::as_str));

    let refused = installation.run(&arguments, &[("DATABASE_URL", "")]);

    assert_refused(&refused, 3, "cannot be used");
}

#[tokio::test]
async fn wrong_usage_is_told_with_the_way_to_the_help() {
    let installation = Installation::new().await;

    let wrong = [&["serv"][..], &["api-key", "create", "--name=x"], &["serve", "--request-deadline=soon"]];
    for arguments in wrong {
        let ended = installation.run(arguments, &[]);
        assert_eq!(ended.exit_code, Some(2), "{ended:?}");
        assert!(ended.stderr.contains("--help"), "{ended:?}");
    }
}
