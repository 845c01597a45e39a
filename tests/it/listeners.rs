//! The listeners as clients meet them: what is open to everybody, what browsers may do, what is bounded, and
//! how it all ends.

use std::{
    collections::BTreeSet,
    io::{ErrorKind, Read, Write},
    net::{SocketAddr, TcpStream},
    time::Duration,
};

use prost::Message;
use stellwerk::{
    grpc::access_rules::{AccessRules, DESCRIPTORS},
    proto,
};
use tokio::task::JoinHandle;
use tonic::{Code, Status};
use tonic_health::pb::{
    HealthCheckRequest, health_check_response::ServingStatus, health_client::HealthClient,
};
use tonic_reflection::pb::{v1, v1alpha};

use crate::support::{
    PATIENCE,
    app::{Running, TestApp},
    booking_tool::client,
    caller::TestCaller,
    database::{Session, until_waiting},
    desk::{self, person},
    reason,
    tenant::TestTenant,
    wait_until,
};

/// Far below the limits that would end what hangs, too.
const SOON: Duration = Duration::from_secs(5);

const DESK: &str = "https://desk.example.org";
const SETTINGS: &str = "/stellwerk.v1.AccessService/GetTenantSettings";

/// The services of the protos.
fn services() -> BTreeSet<String> {
    let rules = AccessRules::read(DESCRIPTORS).unwrap();
    rules.all().filter_map(|(path, _)| Some(path.split('/').nth(1)?.to_string())).collect()
}

#[tokio::test]
async fn everybody_may_ask_what_there_is_in_either_version_of_reflection() {
    let app = TestApp::start().await;
    let channel = app.channel();
    let ask = v1::ServerReflectionRequest {
        message_request: Some(v1::server_reflection_request::MessageRequest::ListServices(String::new())),
        ..Default::default()
    };
    let ask_alpha = v1alpha::ServerReflectionRequest {
        message_request: Some(
            v1alpha::server_reflection_request::MessageRequest::ListServices(String::new()),
        ),
        ..Default::default()
    };

    let mut client = v1::server_reflection_client::ServerReflectionClient::new(channel.clone());
    let mut told = client.server_reflection_info(tokio_stream::once(ask)).await.unwrap().into_inner();
    let answer = told.message().await.unwrap().unwrap().message_response.unwrap();
    let mut client = v1alpha::server_reflection_client::ServerReflectionClient::new(channel);
    let mut told = client.server_reflection_info(tokio_stream::once(ask_alpha)).await.unwrap().into_inner();
    let answer_alpha = told.message().await.unwrap().unwrap().message_response.unwrap();

    use v1::server_reflection_response::MessageResponse;
    use v1alpha::server_reflection_response::MessageResponse as Alpha;
    let MessageResponse::ListServicesResponse(listed) = answer else { panic!("{answer:?}") };
    let Alpha::ListServicesResponse(listed_alpha) = answer_alpha else { panic!("{answer_alpha:?}") };
    let listed: BTreeSet<String> = listed.service.into_iter().map(|service| service.name).collect();
    let listed_alpha: BTreeSet<String> =
        listed_alpha.service.into_iter().map(|service| service.name).collect();
    assert!(listed.is_superset(&services()), "{listed:?}");
    assert!(listed_alpha.is_superset(&services()), "{listed_alpha:?}");
}

#[tokio::test]
async fn everybody_may_ask_whether_a_service_serves() {
    let app = TestApp::start().await;
    let mut health = HealthClient::new(app.channel());

    for service in services().into_iter().chain([String::new()]) {
        wait_until("it serves", PATIENCE, async || {
            let request = HealthCheckRequest { service: service.clone() };
            let told = health.check(request).await.map(|answer| answer.into_inner().status());
            told.is_ok_and(|status| status == ServingStatus::Serving)
        })
        .await;
    }

    let unknown = health.check(HealthCheckRequest { service: "no.Such".into() }).await.unwrap_err();
    assert_eq!(unknown.code(), Code::NotFound);
}

/// P2. A page of a listed origin reads answers, others do not, and no cookie counts anywhere.
#[tokio::test]
async fn a_browser_calls_by_grpc_web_from_a_listed_origin() {
    let app = TestApp::builder().setting(&format!("--cors-origins={DESK}")).start().await;
    let acme = app.tenant("acme").await;
    let key = acme.key(proto::Role::Hr, &[]).await;
    let call = async |origin: &str| {
        let url = format!("http://{}/stellwerk.v1.AccessService/GetTenantSettings", app.grpc());
        client()
            .post(url)
            .header("origin", origin)
            .header("content-type", "application/grpc-web+proto")
            .header("authorization", format!("Bearer {}", key.secret))
            // An empty message: no flags, and a length of 0.
            .body(vec![0; 5])
            .send()
            .await
            .unwrap()
    };

    let listed = call(DESK).await;
    let stranger = call("https://else.example.org").await;

    let allowed = "access-control-allow-origin";
    assert_eq!((listed.status().as_u16(), &listed.headers()[allowed]), (200, &DESK.parse().unwrap()));
    assert!(listed.headers().get("access-control-allow-credentials").is_none());
    assert!(stranger.headers().get(allowed).is_none(), "{:?}", stranger.headers());
    let body = listed.bytes().await.unwrap();
    let length = u32::from_be_bytes(body[1..5].try_into().unwrap()) as usize;
    let settings = proto::GetTenantSettingsResponse::decode(&body[5..5 + length]).unwrap();
    assert_eq!(settings.settings.unwrap().tenant.unwrap().tenant_id, acme.id.to_string());
    // The trailers are a frame of their own, marked by the highest bit of its first byte.
    let trailers = &body[5 + length..];
    assert_eq!(trailers[0], 0x80);
    assert!(String::from_utf8_lossy(&trailers[5..]).contains("grpc-status:0"), "{trailers:?}");
}

/// P13.
#[tokio::test]
async fn a_message_above_the_limit_is_refused_and_one_below_is_read() {
    let app = TestApp::builder().setting("--max-message-bytes=2048").start().await;
    let acme = app.tenant("acme").await;
    let mut clients = acme.admin.patients();
    let sized = |bytes: usize| proto::CreatePatientRequest {
        idempotency_key: "k".repeat(bytes),
        ..person("Erika", "Muster")
    };

    let too_large = clients.create_patient(sized(2048)).await.unwrap_err();
    let read = clients.create_patient(sized(1500)).await.unwrap_err();

    // tonic's own refusal, before anything of ours sees the message.
    assert_eq!((too_large.code(), reason(&too_large).as_str()), (Code::OutOfRange, ""));
    assert_eq!((read.code(), reason(&read).as_str()), (Code::InvalidArgument, "INVALID_FIELD"));
}

/// P13.
#[tokio::test]
async fn who_connects_and_says_nothing_is_hung_up_on() {
    let app = TestApp::builder().setting("--header-timeout=200ms").start().await;

    for address in [app.grpc(), app.http(), app.metrics()] {
        let closed = tokio::task::spawn_blocking(move || is_hung_up_on(address, b"")).await.unwrap();
        assert!(closed, "{address}");
    }
}

/// P13. While a listener does not know which HTTP is spoken, no timer of HTTP's runs.
#[tokio::test]
async fn who_begins_to_speak_http_2_and_does_not_go_on_is_hung_up_on() {
    let app = TestApp::builder().setting("--header-timeout=200ms").start().await;
    let address = app.grpc();

    for begun in [&b"P"[..], b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r"] {
        let closed = tokio::task::spawn_blocking(move || is_hung_up_on(address, begun)).await.unwrap();
        assert!(closed, "{}", begun.escape_ascii());
    }
}

fn is_hung_up_on(address: SocketAddr, begun: &[u8]) -> bool {
    let mut silent = TcpStream::connect(address).expect("a listener");
    silent.set_read_timeout(Some(SOON)).expect("a time limit");
    silent.write_all(begun).expect("an open door");
    match silent.read(&mut [0; 1]) {
        Ok(read) => read == 0,
        Err(error) => error.kind() == ErrorKind::ConnectionReset,
    }
}

/// P13. By nothing but what HTTP/2 asks of a client at first: here is nobody who would answer a ping.
#[tokio::test]
async fn a_connection_ends_that_answers_no_ping_or_has_grown_old() {
    let silent = ["--keepalive-interval=100ms", "--keepalive-timeout=100ms"];
    let old = ["--max-connection-age=100ms", "--max-connection-age-grace=100ms"];
    for settings in [&silent, &old] {
        let app = TestApp::start().await;
        let instance = app.second_instance(settings).await;
        let address = instance.grpc;

        let closed = tokio::task::spawn_blocking(move || is_let_go(address)).await.unwrap();

        assert!(closed, "{settings:?}");
    }
}

fn is_let_go(address: SocketAddr) -> bool {
    let mut silent = TcpStream::connect(address).expect("a listener");
    silent.set_read_timeout(Some(SOON)).expect("a time limit");
    // The preface, and SETTINGS without any (RFC 9113, sections 3.4 and 6.5).
    silent.write_all(b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n\0\0\0\x04\0\0\0\0\0").expect("an open door");
    let mut told = [0; 4096];
    loop {
        match silent.read(&mut told) {
            Ok(0) => return true,
            Ok(_) => {}
            Err(error) => return error.kind() == ErrorKind::ConnectionReset,
        }
    }
}

/// Calls that wait for this lock last as long as the test likes.
async fn lock_people_out(app: &TestApp, acme: &TestTenant) -> Session {
    let blocker = app.database.owner().await;
    blocker
        .run(&format!("BEGIN; SELECT pg_advisory_xact_lock(hashtextextended('{}/patients', 0))", acme.id))
        .await;
    blocker
}

/// P13.
#[tokio::test]
async fn a_call_ends_at_the_servers_deadline_and_leaves_nothing_open() {
    let app = TestApp::start().await;
    let instance = app.second_instance(&["--request-deadline=500ms"]).await;
    let acme = app.tenant("acme").await;
    let owner = app.database.owner().await;
    let blocker = lock_people_out(&app, &acme).await;

    let late = call_under_way(&instance, &acme).await.await.unwrap().unwrap_err();
    blocker.run("ROLLBACK").await;

    assert_eq!((late.code(), reason(&late).as_str()), (Code::DeadlineExceeded, "DEADLINE_EXCEEDED"));
    let open = "SELECT count(*) FROM pg_stat_activity WHERE datname = current_database() \
        AND application_name = 'stellwerk' AND xact_start IS NOT NULL";
    wait_until("no transaction is open", SOON, async || owner.value(open).await == "0").await;
    assert!(desk::patients(&acme.admin).await.is_empty());
}

/// P3, P13. A caller who does not send what it asks for takes nothing from the others.
#[tokio::test]
async fn calls_that_have_no_message_yet_take_no_place() {
    let app = TestApp::builder().setting("--max-concurrent-requests=2").start().await;
    let (acme, globex) = (app.tenant("acme").await, app.tenant("globex").await);
    let key = acme.key(proto::Role::Hr, &[]).await;
    let stream = tokio::net::TcpStream::connect(app.grpc()).await.unwrap();
    let (mut calls, connection) = h2::client::handshake(stream).await.unwrap();
    let driver = tokio::spawn(connection);

    let mut begun = Vec::new();
    for _ in 0..8 {
        let request = http::Request::post(format!("http://{}{SETTINGS}", app.grpc()))
            .header("content-type", "application/grpc")
            .header("te", "trailers")
            .header("authorization", format!("Bearer {}", key.secret))
            .body(())
            .unwrap();
        calls = calls.ready().await.unwrap();
        begun.push(calls.send_request(request, false).unwrap());
    }
    let another = settings(&globex.admin).await;
    let (answer, mut sending) = begun.pop().unwrap();
    sending.send_data(prost::bytes::Bytes::from_static(&[0; 5]), true).unwrap();
    let answered = answer.await.unwrap();
    driver.abort();

    assert!(another.is_ok(), "{another:?}");
    assert_eq!(answered.headers().get("grpc-status"), None, "{answered:?}");
}

/// P3, P13.
#[tokio::test]
async fn a_tenant_takes_half_of_the_places() {
    let app = TestApp::builder().setting("--max-concurrent-requests=4").start().await;
    let (acme, globex) = (app.tenant("acme").await, app.tenant("globex").await);
    let owner = app.database.owner().await;
    let blocker = lock_people_out(&app, &acme).await;
    let calls = [add_person(&acme, 1), add_person(&acme, 2)];
    until_waiting(&owner, 2).await;

    let refused = settings(&acme.admin).await.unwrap_err();
    let another = settings(&globex.admin).await;
    blocker.run("ROLLBACK").await;

    assert_eq!((refused.code(), reason(&refused).as_str()), (Code::Unavailable, "OVERLOADED"));
    assert!(another.is_ok(), "{another:?}");
    for call in calls {
        assert!(call.await.unwrap().is_ok());
    }
}

/// P3, P13. What a practice's changes wait for is locked: the other practices go on, and the process lives.
#[tokio::test]
async fn a_tenant_takes_half_of_the_connections() {
    let app = TestApp::builder().setting("--database-pool-size=4").start().await;
    let (acme, globex) = (app.tenant("acme").await, app.tenant("globex").await);
    let owner = app.database.owner().await;
    let blocker = lock_people_out(&app, &acme).await;
    let calls: Vec<_> = (0..8).map(|number| add_person(&acme, number)).collect();
    until_waiting(&owner, 2).await;

    for number in 0..20 {
        desk::add_patient(&globex.admin, person("Max", &format!("Beispiel {number}"))).await;
    }
    until_waiting(&owner, 2).await;
    blocker.run("ROLLBACK").await;

    for call in calls {
        let added = call.await.unwrap();
        assert!(added.is_ok(), "{added:?}");
    }
}

/// P13. A balancer that took it for dead would send the load to the next one.
#[tokio::test]
async fn a_process_whose_connections_are_all_busy_is_full_and_ready() {
    let app =
        TestApp::builder().setting("--database-pool-size=2").setting("--database-pool-wait=2s").start().await;
    let (acme, globex) = (app.tenant("acme").await, app.tenant("globex").await);
    let owner = app.database.owner().await;
    let blockers = [lock_people_out(&app, &acme).await, lock_people_out(&app, &globex).await];
    let calls = [add_person(&acme, 1), add_person(&globex, 1)];
    until_waiting(&owner, 2).await;

    let full = settings(&acme.admin).await.unwrap_err();
    let ready = client().get(format!("http://{}/readyz", app.http())).send().await.unwrap();
    for blocker in blockers {
        blocker.run("ROLLBACK").await;
    }

    assert_eq!((full.code(), reason(&full).as_str()), (Code::Unavailable, "OVERLOADED"));
    assert_eq!(ready.status().as_u16(), 200);
    for call in calls {
        assert!(call.await.unwrap().is_ok());
    }
}

async fn settings(by: &TestCaller) -> Result<proto::GetTenantSettingsResponse, Status> {
    Ok(by.access().get_tenant_settings(proto::GetTenantSettingsRequest {}).await?.into_inner())
}

fn add_person(to: &TestTenant, number: usize) -> JoinHandle<Result<(), Status>> {
    let admin = to.admin.clone();
    tokio::spawn(async move {
        admin.patients().create_patient(person("Erika", &format!("Muster {number}"))).await.map(|_| ())
    })
}

/// A call by way of this instance, on its way.
async fn call_under_way(
    instance: &Running,
    acme: &TestTenant,
) -> JoinHandle<Result<proto::CreatePatientResponse, Status>> {
    let key = acme.key(proto::Role::Admin, &[]).await;
    let caller = TestCaller::new(instance.channel(), Some(&key.secret));
    tokio::spawn(async move {
        caller.patients().create_patient(person("Erika", "Muster")).await.map(|made| made.into_inner())
    })
}

async fn wait_until_closed(address: SocketAddr) {
    wait_until("the listener is closed", SOON, async || {
        tokio::net::TcpStream::connect(address).await.is_err()
    })
    .await;
}

/// P13.
#[tokio::test]
async fn a_stop_takes_no_new_connection_and_lets_a_call_under_way_finish() {
    let app = TestApp::start().await;
    let instance = app.second_instance(&["--shutdown-grace=30s"]).await;
    let acme = app.tenant("acme").await;
    let owner = app.database.owner().await;
    let blocker = lock_people_out(&app, &acme).await;
    let call = call_under_way(&instance, &acme).await;
    until_waiting(&owner, 1).await;
    let addresses = [instance.grpc, instance.http, instance.metrics];

    let stopping = tokio::spawn(instance.stop());
    for address in addresses {
        wait_until_closed(address).await;
    }
    blocker.run("ROLLBACK").await;
    let answered = call.await.unwrap();
    tokio::time::timeout(SOON, stopping).await.expect("it stops when nothing is under way").unwrap();

    assert!(answered.is_ok(), "{answered:?}");
    assert_eq!(desk::names(&acme.admin).await, ["Erika Muster"]);
}

/// P13.
#[tokio::test]
async fn a_stop_waits_for_calls_no_longer_than_its_grace() {
    let app = TestApp::start().await;
    let instance = app.second_instance(&["--shutdown-grace=300ms"]).await;
    let acme = app.tenant("acme").await;
    let owner = app.database.owner().await;
    let blocker = lock_people_out(&app, &acme).await;
    let call = call_under_way(&instance, &acme).await;
    until_waiting(&owner, 1).await;

    tokio::time::timeout(SOON, instance.stop()).await.expect("it stops although a call hangs");
    let cut_off = call.await.unwrap();
    blocker.run("ROLLBACK").await;

    assert!(cut_off.is_err(), "{cut_off:?}");
    until_waiting(&owner, 0).await;
    assert!(desk::patients(&acme.admin).await.is_empty());
}
