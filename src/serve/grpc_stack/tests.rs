use axum::body::Body;
use http::{Method, Version, header::ORIGIN};
use tokio::time::timeout;

use super::*;

const DESK: &str = "https://desk.example.org";
const MESSAGE_BYTES: usize = 100;

/// The stack over a service that answers `handler`.
fn stack(places: u32, deadline: Duration, handler: fn() -> Response) -> Router {
    let slow = Router::new()
        .route("/test.Slow/Call", axum::routing::post(std::future::pending::<Response>))
        .route("/test.Quick/Call", axum::routing::post(async move || handler()));
    let rules = Arc::new(AccessRules::read(DESCRIPTORS).unwrap());
    let open = open_services(HealthReporter::new()).unwrap();
    let gate = Arc::new(Gate::new(places, deadline));
    router(
        slow.into(),
        open,
        Admission {
            rules,
            gate,
            bodies: Arc::new(Bodies::new(400)),
            message_bytes: MESSAGE_BYTES,
            trusted_proxies: Vec::new(),
        },
        &[DESK.parse().unwrap()],
    )
}

fn quick() -> Router {
    stack(10, Duration::from_secs(30), || Status::ok("").into_http())
}

async fn ask(stack: &Router, request: http::request::Builder) -> Response {
    stack.clone().oneshot(request.body(Body::empty()).unwrap()).await.unwrap()
}

fn call(path: &str, content_type: &str) -> http::request::Builder {
    http::Request::post(path).header(CONTENT_TYPE, content_type).version(Version::HTTP_2)
}

fn header<'a>(response: &'a Response, name: &str) -> &'a str {
    response.headers().get(name).map_or("", |value| value.to_str().unwrap())
}

#[tokio::test]
async fn unknown_services_answer_in_the_language_of_the_question() {
    let stack = quick();

    let grpc = ask(&stack, call("/no.Such/Rpc", "application/grpc")).await;
    let web = ask(
        &stack,
        call("/no.Such/Rpc", "application/grpc-web+proto").version(Version::HTTP_11).header(ORIGIN, DESK),
    )
    .await;
    let other = ask(&stack, call("/no/such/page", "application/json").version(Version::HTTP_11)).await;

    assert_eq!((grpc.status(), header(&grpc, "grpc-status")), (StatusCode::OK, "12"));
    assert_eq!((web.status(), header(&web, "content-type")), (StatusCode::OK, "application/grpc-web+proto"));
    assert_eq!(header(&web, "access-control-allow-origin"), DESK);
    assert_eq!((other.status(), header(&other, "grpc-status")), (StatusCode::NOT_FOUND, ""));
}

#[tokio::test]
async fn what_is_not_grpc_is_told_so_on_a_known_path() {
    let stack = quick();

    for version in [Version::HTTP_11, Version::HTTP_2] {
        let answer = ask(&stack, call("/test.Quick/Call", "application/json").version(version)).await;
        assert_eq!(answer.status(), StatusCode::UNSUPPORTED_MEDIA_TYPE, "{version:?}");
    }
}

#[tokio::test]
async fn a_preflight_names_headers_and_age_and_no_credentials() {
    let preflight = || {
        http::Request::builder()
            .method(Method::OPTIONS)
            .uri("/test.Quick/Call")
            .header("access-control-request-method", "POST")
            .header("access-control-request-headers", "authorization,x-grpc-web")
    };
    let stack = quick();

    let ours = ask(&stack, preflight().header(ORIGIN, DESK)).await;
    let strange = ask(&stack, preflight().header(ORIGIN, "https://example.net")).await;

    assert_eq!(header(&ours, "access-control-allow-origin"), DESK);
    let allowed = header(&ours, "access-control-allow-headers").to_owned();
    for name in ["authorization", "content-type", "x-grpc-web", "x-user-agent", "grpc-timeout"] {
        assert!(allowed.split(',').any(|one| one == name), "{name} in {allowed}");
    }
    assert_eq!(header(&ours, "access-control-max-age"), "7200");
    assert_eq!(header(&ours, "access-control-allow-credentials"), "");
    assert_eq!(header(&strange, "access-control-allow-origin"), "");
}

#[tokio::test]
async fn browsers_may_read_the_status_of_every_answer() {
    let answer = ask(&quick(), call("/test.Quick/Call", "application/grpc-web").header(ORIGIN, DESK)).await;

    let exposed = header(&answer, "access-control-expose-headers");
    for name in ["grpc-status", "grpc-message", "grpc-status-details-bin"] {
        assert!(exposed.split(',').any(|one| one == name), "{name} in {exposed}");
    }
}

#[tokio::test]
async fn a_full_server_sheds_calls_but_answers_probes() {
    let stack = stack(1, Duration::from_secs(30), || Status::ok("").into_http());
    let mut held = Box::pin(ask(&stack, call("/test.Slow/Call", "application/grpc")));
    assert!(futures::poll!(&mut held).is_pending());

    let shed = ask(&stack, call("/test.Quick/Call", "application/grpc")).await;
    let probe = ask(&stack, call("/grpc.health.v1.Health/Check", "application/grpc")).await;

    let shed = Status::from_header_map(shed.headers()).unwrap();
    let details = tonic_types::StatusExt::get_error_details(&shed);
    assert_eq!(shed.code(), tonic::Code::Unavailable);
    assert_eq!(details.error_info().unwrap().reason, "OVERLOADED");
    assert_eq!(details.retry_info().unwrap().retry_delay, Some(Duration::from_secs(1)));
    assert_ne!(header(&probe, "grpc-status"), "14");
}

#[tokio::test(start_paused = true)]
async fn who_does_not_send_its_message_takes_no_place_and_is_told_in_the_end() {
    let stack = stack(1, Duration::from_secs(30), || Status::ok("").into_http());
    let silent = || stream::pending::<Result<axum::body::Bytes, Infallible>>();
    let request = call("/test.Quick/Call", "application/grpc").body(Body::from_stream(silent())).unwrap();
    let mut stalled = Box::pin(stack.clone().oneshot(request));
    assert!(futures::poll!(&mut stalled).is_pending());

    let another = ask(&stack, call("/test.Quick/Call", "application/grpc")).await;
    let told = timeout(Duration::from_secs(31), stalled).await.unwrap().unwrap();

    assert_eq!((header(&another, "grpc-status"), header(&told, "grpc-status")), ("0", "4"));
}

#[tokio::test]
async fn a_message_arrives_whole_and_a_too_large_one_goes_on_to_be_refused() {
    let bodies = Bodies::new(1000);
    let chunks = async |count: usize| {
        let sent = stream::iter(0..count).map(|number| Ok::<_, Infallible>(vec![number as u8; 10]));
        let held = bodies.hold(Ipv4Addr::LOCALHOST.into());
        message(Body::from_stream(sent), MESSAGE_BYTES, held).await.unwrap().0
    };

    for count in [0, 1, 10, 11, 1000] {
        let read = axum::body::to_bytes(chunks(count).await, usize::MAX).await.unwrap();
        let expected: Vec<u8> = (0..count).flat_map(|number| [number as u8; 10]).collect();
        assert_eq!(read, expected, "{count} chunks");
    }
}

#[tokio::test]
async fn messages_that_do_not_end_take_no_more_memory_than_there_is() {
    let stack = stack(10, Duration::from_secs(30), || Status::ok("").into_http());
    let begun = || {
        let said = stream::iter([Ok::<_, Infallible>(vec![0; 60])]).chain(stream::pending());
        let request = call("/test.Quick/Call", "application/grpc").body(Body::from_stream(said)).unwrap();
        Box::pin(stack.clone().oneshot(request))
    };
    let (mut first, second) = (begun(), begun());
    assert!(futures::poll!(&mut first).is_pending());

    let refused = second.await.unwrap();
    drop(first);
    let mut third = begun();

    let told = Status::from_header_map(refused.headers()).unwrap();
    assert_eq!(tonic_types::StatusExt::get_error_details(&told).error_info().unwrap().reason, "OVERLOADED");
    assert!(futures::poll!(&mut third).is_pending());
}

#[tokio::test(start_paused = true)]
async fn a_late_call_is_ended_by_the_servers_deadline_or_the_callers_shorter_one() {
    let stack = stack(1, Duration::from_secs(30), || Status::ok("").into_http());
    let patience = |seconds, request| timeout(Duration::from_secs(seconds), ask(&stack, request));

    let servers = patience(31, call("/test.Slow/Call", "application/grpc")).await.unwrap();
    let callers =
        patience(2, call("/test.Slow/Call", "application/grpc").header("grpc-timeout", "1S")).await.unwrap();

    assert_eq!((header(&servers, "grpc-status"), header(&callers, "grpc-status")), ("4", "4"));
}

#[tokio::test]
async fn a_panic_is_internal_and_says_nothing() {
    let stack = stack(1, Duration::from_secs(30), || panic!("secret"));

    let answer = ask(&stack, call("/test.Quick/Call", "application/grpc")).await;

    assert_eq!(header(&answer, "grpc-status"), "13");
    assert!(!format!("{:?}", answer.headers()).contains("secret"));
}

#[test]
fn the_callers_timeout_is_read_as_the_protocol_writes_it() {
    assert_eq!(grpc_timeout("2H"), Some(Duration::from_secs(7200)));
    assert_eq!(grpc_timeout("3M"), Some(Duration::from_secs(180)));
    assert_eq!(grpc_timeout("100m"), Some(Duration::from_millis(100)));
    assert_eq!(grpc_timeout("99999999n"), Some(Duration::from_nanos(99_999_999)));
    for text in ["", "S", "1", "1s", "-1S", "+1S", "123456789S", "1.5S", "1ü"] {
        assert_eq!(grpc_timeout(text), None, "{text}");
    }
}

#[test]
fn health_knows_our_services_by_name() {
    let names = service_names(&AccessRules::read(DESCRIPTORS).unwrap());

    assert_eq!(
        names,
        [
            "AccessService",
            "AlertService",
            "AppointmentService",
            "IntegrationService",
            "OnboardingService",
            "PatientService",
            "PlanningService",
            "PrivacyService",
            "ReviewService",
            "SyncLogService",
            "WebhookService",
        ]
        .map(|name| format!("stellwerk.v1.{name}"))
    );
}
