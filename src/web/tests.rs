//! Holds P2, P12 and P13: every refusal says why, and nothing is taken beyond its bounds.

use axum::body::{Body, to_bytes};
use futures::StreamExt;
use http::{Method, Request};
use serde_json::{Value, json};
use tokio_util::sync::CancellationToken;
use tower::ServiceExt;

use super::*;
use crate::{
    peer::Peer,
    store::{Store, connect::PoolConfig},
    vault::Vault,
};

/// The routes over a database that nobody runs.
fn routes(flood_limit: u32, stop: &CancellationToken) -> Router {
    router(web(flood_limit, stop))
}

fn web(flood_limit: u32, stop: &CancellationToken) -> Arc<Web> {
    let pool = PoolConfig { wait: Duration::from_millis(200), ..PoolConfig::default() };
    let store = Store::connect("postgres://nobody@127.0.0.1:1/none?sslmode=disable&connect_timeout=1", &pool)
        .unwrap();
    let egress = crate::egress::Egress::new(Default::default()).unwrap();
    let vault = Vault::from_root_keys(&Vault::generate_root_key("r1").unwrap()).unwrap();
    Arc::new(Web {
        readiness: Arc::new(Readiness::new(store.clone(), stop.clone())),
        domain: Domain {
            store,
            vault: Arc::new(vault),
            public_url: "http://127.0.0.1:1".into(),
            egress: Arc::new(egress),
            deployments: Arc::default(),
            key_rings: Arc::default(),
        },
        gate: Arc::new(Gate::new(10, Duration::from_secs(5))),
        flood: FloodLimit::new(flood_limit, Duration::from_secs(3600), std::time::Instant::now()),
        bodies: Bodies::new(64 * 1024 * 1024),
        turns: Turns::new(pool.size, 10),
        trusted_proxies: Vec::new(),
        cron: None,
    })
}

async fn ask(
    routes: &Router,
    method: Method,
    path: &str,
    body: Body,
) -> (StatusCode, http::HeaderMap, Value) {
    let mut request = Request::builder().method(method).uri(path).body(body).unwrap();
    request.extensions_mut().insert(Peer("127.0.0.1:9".parse().unwrap()));
    let (parts, body) = routes.clone().oneshot(request).await.unwrap().into_parts();
    let body = to_bytes(body, 1 << 20).await.unwrap();
    (parts.status, parts.headers, serde_json::from_slice(&body).unwrap_or_default())
}

#[tokio::test]
async fn unknown_routes_and_wrong_methods_are_told_apart() {
    let routes = routes(0, &CancellationToken::new());

    let route = ask(&routes, Method::GET, "/api/nothing", Body::empty()).await;
    let method = ask(&routes, Method::GET, "/api/webhooks/booking/x", Body::empty()).await;

    assert_eq!((route.0, &route.2["reason"]), (StatusCode::NOT_FOUND, &json!("ROUTE_NOT_FOUND")));
    assert_eq!(
        (method.0, &method.2["reason"]),
        (StatusCode::METHOD_NOT_ALLOWED, &json!("METHOD_NOT_ALLOWED"))
    );
}

#[tokio::test]
async fn a_body_above_1_mib_is_refused_before_the_database_is_asked() {
    let routes = routes(0, &CancellationToken::new());
    let path = "/api/webhooks/booking/x";

    let announced = ask(&routes, Method::POST, path, vec![b'x'; 1024 * 1024 + 1].into()).await;
    let chunks = futures::stream::repeat_with(|| Ok::<_, std::io::Error>(vec![b'x'; 1 << 16]));
    let endless = ask(&routes, Method::POST, path, Body::from_stream(chunks)).await;

    for (status, _, body) in [announced, endless] {
        assert_eq!(
            (status, body),
            (StatusCode::PAYLOAD_TOO_LARGE, json!({ "status": "refused", "reason": "BODY_TOO_LARGE" }))
        );
    }
}

/// By the clock of the runtime, which runs ahead when there is nothing to do.
#[tokio::test(start_paused = true)]
async fn a_body_that_hangs_is_waited_for_for_30_seconds() {
    let routes = routes(0, &CancellationToken::new());
    let begin = tokio::time::Instant::now();
    let said = futures::stream::iter([Ok::<_, std::io::Error>(vec![b'{'])]);
    let hanging = Body::from_stream(said.chain(futures::stream::pending()));

    let (status, _, body) = ask(&routes, Method::POST, "/api/webhooks/booking/x", hanging).await;

    assert_eq!((status, &body["reason"]), (StatusCode::REQUEST_TIMEOUT, &json!("BODY_TOO_SLOW")));
    assert_eq!(begin.elapsed(), Duration::from_secs(30));
}

#[tokio::test]
async fn a_body_that_breaks_off_is_the_senders_fault() {
    let routes = routes(0, &CancellationToken::new());
    let broken = futures::stream::iter([Ok(vec![b'{']), Err(std::io::Error::other("gone"))]);

    let answer = ask(&routes, Method::POST, "/api/webhooks/booking/x", Body::from_stream(broken)).await;

    assert_eq!(answer.0, StatusCode::BAD_REQUEST);
}

#[tokio::test]
async fn without_a_database_a_delivery_is_to_come_again() {
    let routes = routes(0, &CancellationToken::new());

    let (status, headers, body) = ask(&routes, Method::POST, "/api/webhooks/booking/x", "{}".into()).await;

    assert_eq!(
        (status, body),
        (StatusCode::SERVICE_UNAVAILABLE, json!({ "status": "failed", "reason": "DATABASE_UNAVAILABLE" }))
    );
    assert_eq!(headers["retry-after"], "1");
}

#[tokio::test]
async fn a_flood_is_refused_with_the_rest_of_the_window() {
    let routes = routes(1, &CancellationToken::new());
    let path = "/api/webhooks/booking/x";

    ask(&routes, Method::POST, path, "{}".into()).await;
    let (status, headers, body) = ask(&routes, Method::POST, path, "{}".into()).await;

    assert_eq!((status, &body["reason"]), (StatusCode::TOO_MANY_REQUESTS, &json!("FLOODED")));
    let wait: u64 = headers["retry-after"].to_str().unwrap().parse().unwrap();
    assert!((3590..=3600).contains(&wait), "{wait}");
}

#[tokio::test]
async fn a_path_that_is_no_text_is_an_unknown_endpoint() {
    let routes = routes(0, &CancellationToken::new());

    let answer = ask(&routes, Method::POST, "/api/webhooks/booking/%ff", "{}".into()).await;

    assert_eq!(
        (answer.0, &answer.2["reason"]),
        (StatusCode::NOT_FOUND, &json!("WEBHOOK_ENDPOINT_NOT_FOUND"))
    );
}

#[tokio::test]
async fn liveness_ignores_the_database_and_readiness_does_not() {
    let stop = CancellationToken::new();
    let routes = routes(0, &stop);

    let alive = ask(&routes, Method::GET, "/healthz", Body::empty()).await;
    let ready = ask(&routes, Method::GET, "/readyz", Body::empty()).await;
    stop.cancel();
    let stopping = ask(&routes, Method::GET, "/readyz", Body::empty()).await;

    assert_eq!(alive.0, StatusCode::OK);
    assert_eq!(
        (ready.0, &ready.2["reason"]),
        (StatusCode::SERVICE_UNAVAILABLE, &json!("DATABASE_UNAVAILABLE"))
    );
    assert_eq!((stopping.0, &stopping.2["reason"]), (StatusCode::SERVICE_UNAVAILABLE, &json!("STOPPING")));
}

#[test]
fn waits_are_rounded_up_to_whole_seconds() {
    assert_eq!([0, 1, 999, 1000, 1001].map(|ms| whole_seconds(Duration::from_millis(ms))), [0, 1, 1, 1, 2]);
}

#[tokio::test]
async fn a_process_without_the_api_answers_probes_alone() {
    let probes = probes(web(0, &CancellationToken::new()));

    let alive = ask(&probes, Method::GET, "/healthz", Body::empty()).await;
    let delivery = ask(&probes, Method::POST, "/api/webhooks/booking/x", "{}".into()).await;

    assert_eq!((alive.0, delivery.0), (StatusCode::OK, StatusCode::NOT_FOUND));
}
