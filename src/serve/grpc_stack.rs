//! The gRPC listener's tower stack: native gRPC and grpc-web over the same routes.

use std::{
    convert::Infallible,
    future::ready,
    net::{IpAddr, Ipv4Addr},
    sync::Arc,
    time::{Duration, Instant},
};

use axum::{
    Router,
    body::Body,
    extract::{Request, State},
    middleware::{Next, from_fn, from_fn_with_state},
    response::{IntoResponse, Response},
};
use futures::{StreamExt, stream};
use http::{HeaderMap, HeaderName, Method, StatusCode, header::CONTENT_TYPE};
use metrics::histogram;
use tokio::time::timeout;
use tonic::{Status, service::Routes};
use tonic_health::server::{HealthReporter, HealthService};
use tonic_web::GrpcWebLayer;
use tower::{Layer, ServiceExt, service_fn};
use tower_http::{
    catch_panic::CatchPanicLayer,
    cors::{AllowOrigin, CorsLayer},
};

use crate::{
    bodies::{Bodies, Held},
    config::CorsOrigin,
    error::{Error, Result},
    gate::Gate,
    grpc::access_rules::{AccessRules, DESCRIPTORS},
    network::Network,
    peer::{Peer, sender},
    telemetry::metrics::RPC_DURATION,
};

/// How long a browser may remember that it may call.
const PREFLIGHT_MAX_AGE: Duration = Duration::from_secs(2 * 60 * 60);

/// What stands before a message (gRPC over HTTP/2, "Length-Prefixed-Message").
const PREFIX_BYTES: usize = 5;

/// How long a `wait_for_provider` is at most.
const LONGEST_WAIT: Duration = Duration::from_secs(60);

/// The descriptors of what reflection shows could not be read: a defect of the build.
#[derive(Debug, thiserror::Error)]
#[error("reflection cannot be set up")]
pub struct ReflectionError(#[from] tonic_reflection::server::Error);

/// What a call passes before its credential is looked at.
#[derive(Clone)]
pub struct Admission {
    pub rules: Arc<AccessRules>,
    pub gate: Arc<Gate>,
    pub bodies: Arc<Bodies>,
    /// Of the largest message that is read.
    pub message_bytes: usize,
    pub trusted_proxies: Vec<Network>,
}

/// Everything the listener answers. `services` are ours with their own `Authenticate` around them.
pub fn router(services: Routes, open: Routes, admission: Admission, origins: &[CorsOrigin]) -> Router {
    // `layer` puts each one around what is there, so these read from the inside out.
    let services = services
        .into_axum_router()
        .reset_fallback()
        // A panic is a defect in one call: INTERNAL for its caller, nothing for the others on the connection.
        .layer(CatchPanicLayer::custom(|_| status_response(Error::internal("a handler panicked").into())))
        // Before the credential is looked up in the database: a full server has no connections to spare for
        // that. Probes and reflection stay outside, or an overload would look like a death.
        .layer(from_fn_with_state(admission, admit));
    let open = open.into_axum_router().reset_fallback();

    services
        .merge(open)
        // Translates grpc-web, so that everything inside sees gRPC alone. It answers 400 to HTTP/1.1 that is
        // not grpc-web, hence around these routes only, and inside the next.
        .layer(GrpcWebLayer::new())
        // What is not gRPC at all gets the answer that the gRPC specification asks for.
        .layer(from_fn(only_grpc))
        .fallback(unknown_path)
        // Outermost: browsers read no answer without its headers, and a preflight costs nothing further in.
        .layer(cors(origins))
}

/// Health and reflection (v1, and v1alpha for older tools); neither tells anything about a tenant.
pub fn open_services(health: HealthReporter) -> Result<Routes, ReflectionError> {
    let reflection = || {
        tonic_reflection::server::Builder::configure()
            .register_encoded_file_descriptor_set(DESCRIPTORS)
            .register_encoded_file_descriptor_set(tonic_health::pb::FILE_DESCRIPTOR_SET)
    };
    let health = HealthService::from_health_reporter(health);
    Ok(Routes::default()
        .add_service(tonic_health::pb::health_server::HealthServer::new(health))
        .add_service(reflection().build_v1()?)
        .add_service(reflection().build_v1alpha()?))
}

/// The names of our services, for health answers.
pub fn service_names(rules: &AccessRules) -> Vec<String> {
    let mut names: Vec<String> =
        rules.all().filter_map(|(path, _)| Some(path.split('/').nth(1)?.to_string())).collect();
    names.sort();
    names.dedup();
    names
}

fn cors(origins: &[CorsOrigin]) -> CorsLayer {
    let origins = origins.to_vec();
    // Never with credentials: callers send bearer tokens, and a cookie must mean nothing here.
    CorsLayer::new()
        .allow_origin(AllowOrigin::predicate(move |origin, _| origins.iter().any(|one| one.admits(origin))))
        .allow_methods([Method::POST])
        // By name: `*` does not cover `authorization` (Fetch standard, CORS-preflight fetch).
        .allow_headers(
            ["authorization", "content-type", "x-grpc-web", "x-user-agent", "grpc-timeout"]
                .map(HeaderName::from_static),
        )
        .expose_headers(
            ["grpc-status", "grpc-message", "grpc-status-details-bin"].map(HeaderName::from_static),
        )
        .max_age(PREFLIGHT_MAX_AGE)
}

async fn admit(State(admission): State<Admission>, request: Request, next: Next) -> Response {
    let Admission { rules, gate, bodies, message_bytes, trusted_proxies } = admission;
    let begin = Instant::now();
    let path = request.uri().path().to_owned();
    let callers = request.headers().get("grpc-timeout").and_then(|value| grpc_timeout(value.to_str().ok()?));
    let waits = rules.rule(&path).is_some_and(|rule| rule.waits_for_provider);
    let longer = if waits { LONGEST_WAIT } else { Duration::ZERO };
    // Not before the message is here: a slow caller costs a connection, but no place among the requests.
    let (parts, body) = request.into_parts();
    let peer = parts.extensions.get().map_or(IpAddr::V4(Ipv4Addr::UNSPECIFIED), |Peer(peer)| peer.ip());
    let held = bodies.hold(sender(peer, &parts.headers, &trusted_proxies));
    let reading = timeout(gate.patience(callers), message(body, message_bytes, held)).await;
    let (body, _held) = match reading.unwrap_or(Err(Error::Deadline)) {
        Ok(read) => read,
        Err(error) => return status_response(error.into()),
    };
    let request = Request::from_parts(parts, body);
    let callers = callers.map(|callers| callers.saturating_sub(begin.elapsed()));
    match gate.pass_and_wait(callers, longer, next.run(request)).await {
        Ok(response) => response,
        Err(error) => {
            // `Authenticate` measures every call that reaches it. Only what is in the protos becomes a label.
            if matches!(error, Error::Overloaded) && rules.rule(&path).is_some() {
                let rpc = path.trim_start_matches('/').to_owned();
                histogram!(RPC_DURATION, "rpc" => rpc, "code" => "UNAVAILABLE").record(begin.elapsed());
            }
            status_response(error.into())
        }
    }
}

/// The whole message of a call; of one that is too large as much as shows it, for refusing it is tonic's.
/// Errors: `Overloaded`, when there is no memory for it now.
async fn message(body: Body, at_most: usize, mut held: Held<'_>) -> Result<(Body, Held<'_>)> {
    let mut chunks = body.into_data_stream();
    let (mut read, mut size) = (Vec::new(), 0);
    while size <= at_most + PREFIX_BYTES {
        let Some(chunk) = chunks.next().await else {
            return Ok((Body::from_stream(stream::iter(read)), held));
        };
        let bytes = chunk.as_ref().map_or(0, |bytes| bytes.len());
        if !held.grow(bytes) {
            return Err(Error::Overloaded);
        }
        size += bytes;
        read.push(chunk);
    }
    Ok((Body::from_stream(stream::iter(read).chain(chunks)), held))
}

/// `{1 to 8 digits}{H|M|S|m|u|n}`, gRPC over HTTP/2, "Timeout". One that cannot be read does not count.
fn grpc_timeout(text: &str) -> Option<Duration> {
    let unit = text.chars().last().filter(char::is_ascii)?;
    let digits = text.get(..text.len() - 1)?;
    if digits.len() > 8 || !digits.bytes().all(|b| b.is_ascii_digit()) {
        return None;
    }
    let number: u64 = digits.parse().ok()?;
    match unit {
        'H' => Some(Duration::from_secs(number * 3600)),
        'M' => Some(Duration::from_secs(number * 60)),
        'S' => Some(Duration::from_secs(number)),
        'm' => Some(Duration::from_millis(number)),
        'u' => Some(Duration::from_micros(number)),
        'n' => Some(Duration::from_nanos(number)),
        _ => None,
    }
}

/// 415 is what the gRPC specification asks for ("Content-Type").
async fn only_grpc(request: Request, next: Next) -> Response {
    if is_grpc(request.headers()) {
        next.run(request).await
    } else {
        (StatusCode::UNSUPPORTED_MEDIA_TYPE, "this path speaks gRPC and grpc-web\n").into_response()
    }
}

/// A client of an unknown service speaks gRPC and must be answered in it, browsers by grpc-web.
async fn unknown_path(request: Request) -> Response {
    if !is_grpc(request.headers()) {
        return (StatusCode::NOT_FOUND, "nothing here; this listener speaks gRPC and grpc-web\n")
            .into_response();
    }
    let unimplemented = service_fn(|_: http::Request<tonic::body::Body>| {
        ready(Ok::<_, Infallible>(Status::unimplemented("no such service").into_http::<tonic::body::Body>()))
    });
    match GrpcWebLayer::new().layer(unimplemented).oneshot(request).await {
        Ok(response) => response.map(axum::body::Body::new),
        Err(never) => match never {},
    }
}

fn is_grpc(headers: &HeaderMap) -> bool {
    headers.get(CONTENT_TYPE).is_some_and(|value| value.as_bytes().starts_with(b"application/grpc"))
}

fn status_response(status: Status) -> Response {
    status.into_http()
}

#[cfg(test)]
#[path = "grpc_stack/tests.rs"]
mod tests;
