//! Root keys: which one seals, and how another takes its place while requests run.

use std::sync::{
    Arc,
    atomic::{AtomicBool, AtomicUsize, Ordering},
};

use serde_json::{Value, json};
use stellwerk::{
    proto::{CreateWebhookEndpointRequest, ListPatientsRequest, RotateWebhookSecretRequest, SignatureScheme},
    vault::Vault,
};
use tokio::task::JoinSet;

use crate::support::{
    PATIENCE,
    booking_tool::TestBookingTool,
    caller::TestCaller,
    said::{NO_LIMIT, limit_new_endpoints, said},
    server::{Ended, Installation, Server},
    tenant::TestTenant,
    wait_until,
};

/// Two root keys as an operator gives them, alone and together.
struct Keys {
    old: String,
    new: String,
    both: String,
}

impl Keys {
    fn new() -> Self {
        let [old, new] = ["old", "new"].map(|id| Vault::generate_root_key(id).unwrap());
        let both = format!("{new},{old}");
        Self { old, new, both }
    }
}

fn given(keys: &str) -> [(&str, &str); 1] {
    [("STELLWERK_ROOT_KEYS", keys)]
}

fn json_of(ended: &Ended) -> Value {
    assert_eq!(ended.exit_code, Some(0), "{ended:?}");
    serde_json::from_str(&ended.stdout).expect("JSON")
}

/// A tenant of a server whose root keys are not the installation's own.
async fn tenant(installation: &Installation, server: &Server, keys: &str, name: &str) -> TestTenant {
    let made = installation.run(&["api-key", "create", "--operator", "--name=test", "--json"], &given(keys));
    let operator = TestCaller::new(server.channel(), json_of(&made)["api_key"].as_str());
    TestTenant::make(&operator, server.http, server.channel(), name).await
}

/// The doctor's finding of this name.
fn finding(installation: &Installation, keys: &str, check: &str) -> (String, String) {
    let ended = installation.run(&["doctor", "--json"], &given(keys));
    let said: Value = serde_json::from_str(&ended.stdout).expect("JSON");
    let found = said["findings"].as_array().unwrap().iter().find(|finding| finding["check"] == check);
    let text = |name: &str| found.map_or("", |found| found[name].as_str().unwrap()).to_owned();
    (text("state"), text("says"))
}

/// P10, P14. Everything that is sealed and opened goes on meanwhile, on every instance; afterwards the old
/// key is not needed.
#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn a_root_key_is_rotated_under_load_and_the_old_one_can_go() {
    let keys = Keys::new();
    let installation = Installation::new().await;
    let before = installation.serve_with(&[], &given(&keys.old)).await;
    let acme = tenant(&installation, &before, &keys.old, "acme").await;
    limit_new_endpoints(&acme.admin, NO_LIMIT).await;
    let tool = acme.booking_tool(SignatureScheme::Standard).await;
    for name in ["globex", "initech", "umbrella"] {
        let other = tenant(&installation, &before, &keys.old, name).await;
        other.booking_tool(SignatureScheme::Standard).await;
    }
    before.stop().await;
    let servers = [
        installation.serve_with(&[], &given(&keys.both)).await,
        installation.serve_with(&[], &given(&keys.both)).await,
    ];

    let (stop, calls) = (Arc::new(AtomicBool::new(false)), Arc::new(AtomicUsize::new(0)));
    let mut load = JoinSet::new();
    for server in &servers {
        let admin = acme.admin.at(server.channel());
        load.spawn(seal_and_open(admin, tool.at(server.http), stop.clone(), calls.clone()));
    }
    let newcomers = tenant(&installation, &servers[0], &keys.both, "newcomer").await;
    limit_new_endpoints(&newcomers.admin, NO_LIMIT).await;
    load.spawn(seal_and_open(
        newcomers.admin.clone(),
        newcomers.booking_tool(SignatureScheme::Standard).await,
        stop.clone(),
        calls.clone(),
    ));
    let begun = calls.load(Ordering::Relaxed);
    wait_until("the load runs", PATIENCE, async || calls.load(Ordering::Relaxed) > begun + 20).await;
    let rotated = tokio::task::block_in_place(|| {
        installation.run(&["root-key", "rotate", "--to=new", "--json"], &given(&keys.both))
    });
    let ended = calls.load(Ordering::Relaxed);
    wait_until("the load goes on", PATIENCE, async || calls.load(Ordering::Relaxed) > ended + 20).await;
    stop.store(true, Ordering::Relaxed);
    let failures: Vec<String> = load.join_all().await.into_iter().flatten().collect();

    assert_eq!(failures, [""; 0]);
    let rotated = json_of(&rotated);
    assert_eq!((&rotated["wrapped"], &rotated["idle"]), (&json!(5), &json!(["old"])));
    let idle = finding(&installation, &keys.both, "idle keys");
    assert_eq!(idle, ("ok".into(), "old opens nothing that is kept, and may be removed".into()));
    for server in servers {
        server.stop().await;
    }
    let after = installation.serve_with(&[], &given(&keys.new)).await;
    assert_eq!(tool.at(after.http).tell(&said("ping", json!({}))).await.status, 200);
    let sealed = finding(&installation, &keys.new, "sealed");
    assert_eq!(sealed, ("ok".into(), "the keys of all 5 tenants open".into()));
}

/// Until it is told to stop; returns what went wrong.
async fn seal_and_open(
    admin: TestCaller,
    tool: TestBookingTool,
    stop: Arc<AtomicBool>,
    calls: Arc<AtomicUsize>,
) -> Vec<String> {
    let mut failures = Vec::new();
    let mut request = CreateWebhookEndpointRequest { provider: "booking".into(), ..Default::default() };
    request.set_scheme(SignatureScheme::Standard);
    let made = admin.webhooks().create_webhook_endpoint(request).await.expect("an endpoint").into_inner();
    let spare = made.webhook_endpoint.expect("an endpoint").webhook_endpoint_id;
    while !stop.load(Ordering::Relaxed) {
        // Opens a secret and seals a body.
        let answer = tool.tell(&said("ping", json!({}))).await;
        if answer.status != 200 {
            failures.push(format!("a delivery: {}", answer.status));
        }
        // Seals a secret.
        let request = RotateWebhookSecretRequest {
            webhook_endpoint_id: spare.clone(),
            grace_period: Some(prost_types::Duration::default()),
            ..Default::default()
        };
        if let Err(status) = admin.webhooks().rotate_webhook_secret(request).await {
            failures.push(format!("a secret: {status}"));
        }
        let request = ListPatientsRequest { page_size: 1, ..Default::default() };
        if let Err(status) = admin.patients().list_patients(request).await {
            failures.push(format!("a list: {status}"));
        }
        calls.fetch_add(1, Ordering::Relaxed);
    }
    failures
}

/// P10, P14. A rolling restart never meets a key that it does not know.
#[tokio::test]
async fn a_root_key_that_a_running_instance_lacks_does_not_seal() {
    let keys = Keys::new();
    let installation = Installation::new().await;
    let server = installation.serve_with(&[], &given(&keys.old)).await;
    let acme = tenant(&installation, &server, &keys.old, "acme").await;
    let tool = acme.booking_tool(SignatureScheme::Standard).await;

    let rotated =
        installation.run(&["root-key", "rotate", "--to=new", "--wait=0s", "--json"], &given(&keys.both));
    let listed = json_of(&installation.run(&["root-key", "list", "--json"], &given(&keys.both)));

    assert_eq!(rotated.exit_code, Some(1));
    assert!(rotated.stderr.contains("1 of 1 running instances do not hold the root key new"), "{rotated:?}");
    assert_eq!(
        listed["root_keys"],
        json!([
            { "id": "new", "seals": false, "tenants": 0, "held_by": 0 },
            { "id": "old", "seals": true, "tenants": 1, "held_by": 1 }
        ])
    );
    assert_eq!(tool.tell(&said("ping", json!({}))).await.status, 200);
}

/// P2, P10.
#[tokio::test]
async fn a_server_without_a_key_that_is_needed_does_not_start() {
    let keys = Keys::new();
    let installation = Installation::new().await;
    let server = installation.serve_with(&[], &given(&keys.both)).await;
    let acme = tenant(&installation, &server, &keys.both, "acme").await;
    acme.booking_tool(SignatureScheme::Standard).await;
    server.stop().await;
    let start = |keys: &str| {
        let free = ["--grpc-address", "--http-address", "--metrics-address"]
            .map(|name| format!("{name}=127.0.0.1:0"));
        let arguments: Vec<&str> = ["serve"].into_iter().chain(free.iter().map(String::as_str)).collect();
        installation.run(&arguments, &given(keys))
    };

    let without_what_wraps = start(&keys.old);
    json_of(&installation.run(&["root-key", "rotate", "--to=old", "--json"], &given(&keys.both)));
    let without_what_seals = start(&keys.new);

    for (refused, missing) in [(without_what_wraps, "new"), (without_what_seals, "old")] {
        assert_eq!(refused.exit_code, Some(3), "{refused:?}");
        let line = format!("the root key {missing} is not among those given");
        assert!(refused.stderr.contains(&line), "{refused:?}");
    }
}

/// P12. A rotation that was cut off goes on where it was, and meanwhile the doctor says that it is not done.
#[tokio::test]
async fn a_rotation_that_was_cut_off_is_told_and_goes_on() {
    let keys = Keys::new();
    let installation = Installation::new().await;
    let server = installation.serve_with(&[], &given(&keys.old)).await;
    for name in ["acme", "globex"] {
        let one = tenant(&installation, &server, &keys.old, name).await;
        one.booking_tool(SignatureScheme::Standard).await;
    }
    server.stop().await;
    // As far as the switch, and no further.
    installation.owner().await.run("SELECT stellwerk_root_key_activate('new')").await;

    let told = finding(&installation, &keys.both, "sealing");
    let first = json_of(&installation.run(&["root-key", "rotate", "--json"], &given(&keys.both)));
    let second = json_of(&installation.run(&["root-key", "rotate", "--json"], &given(&keys.both)));

    assert_eq!(told, ("warning".into(), "new seals, but 2 tenants' keys are wrapped by others".into()));
    assert_eq!((&first["wrapped"], &second["wrapped"]), (&json!(2), &json!(0)));
}

/// P10. The same passphrase and salt are the same key on every instance; another salt is another key.
#[tokio::test]
async fn a_passphrase_with_its_salt_is_a_root_key() {
    let installation = Installation::new().await;
    let made = json_of(&installation.run(&["root-key", "new", "--id=spoken", "--passphrase", "--json"], &[]));
    let salted = made["value"].as_str().unwrap();
    let phrase = format!("{salted}ein Zug auf jedem Gleis");
    let other = format!("spoken:{}:ein Zug auf jedem Gleis", "00".repeat(16));
    let with = |phrase: &str, arguments: &[&str]| {
        let variables = [("STELLWERK_ROOT_KEYS", ""), ("STELLWERK_ROOT_PASSPHRASE", phrase)];
        installation.run(arguments, &variables)
    };

    let tenant = json_of(&with(&phrase, &["tenant", "create", "--name=acme", "--json"]));
    let of = format!("--tenant={}", tenant["tenant_id"].as_str().unwrap());
    json_of(&with(&phrase, &["webhook", "create", &of, "--json"]));
    let again = with(&phrase, &["doctor", "--json"]);
    let another = with(&other, &["doctor", "--json"]);

    assert_eq!(again.exit_code, Some(0), "{again:?}");
    assert_eq!(another.exit_code, Some(1));
    assert!(another.stdout.contains("1 of 1 tenants' keys do not open"), "{another:?}");
}
