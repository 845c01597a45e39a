//! Connections: how many, how long, how they end. One loop for every listener, because neither axum's nor
//! tonic's own bounds the number of connections or the wait at shutdown, and tonic's cuts old connections off
//! without telling the caller first once a grace is set (0.14.9, `connection_timeout_future`).

use std::{io::Cursor, net::SocketAddr, pin::pin, sync::Arc, time::Duration};

use axum::Router;
use http::Request;
use hyper::body::Incoming;
use hyper_util::{
    rt::{TokioExecutor, TokioIo, TokioTimer},
    server::conn::auto::Builder,
    service::TowerToHyperService,
};
use rand::Rng;
use tokio::{
    io::{AsyncRead, AsyncReadExt, join},
    net::{TcpListener, TcpStream},
    sync::Semaphore,
    task::JoinSet,
    time::{sleep, timeout},
};
use tokio_util::sync::CancellationToken;
use tower::ServiceExt;

use crate::{config::LimitConfig, grpc::streams::Leaving, peer::Peer, telemetry};

/// Names and values of one request's headers together. A JWT with many claims takes a few KiB.
const MAX_HEADER_BYTES: usize = 32 * 1024;
const MAX_HEADERS: usize = 100;
/// What HTTP/2 begins with (RFC 9113, section 3.4).
const PREFACE: [u8; 24] = *b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n";
/// Calls at once over one HTTP/2 connection; the gate bounds their sum.
const MAX_STREAMS: u32 = 1000;
/// After a failed accept, as when file descriptors have run out:
/// trying at once would burn a core and change nothing.
const ACCEPT_PAUSE: Duration = Duration::from_millis(50);

/// What a listener speaks.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Protocol {
    /// HTTP/1.1 alone: from the first byte on, every wait for headers is bounded.
    Http1,
    /// HTTP/2 without TLS, and HTTP/1.1 for grpc-web.
    Http1And2,
}

/// Serves `router` until `stop`, then waits for what is under way. Dropping the future cuts the rest off.
pub async fn serve(
    listener: TcpListener,
    router: Router,
    protocol: Protocol,
    limits: &LimitConfig,
    stop: &CancellationToken,
) {
    let slots = Arc::new(Semaphore::new(limits.max_connections as usize));
    let builder = builder(protocol, limits);
    let mut open = JoinSet::new();
    while let Some((stream, peer, slot)) = accept(&listener, &slots, &mut open, stop).await {
        let connection = Connection { builder: builder.clone(), limits: limits.clone(), stop: stop.clone() };
        let router = router.clone();
        open.spawn(async move {
            connection.run(stream, peer, router).await;
            drop(slot);
        });
    }
    // Closed before the wait: new callers are refused at once and go to another instance.
    drop(listener);
    while open.join_next().await.is_some() {}
}

/// The next connection, and a slot for it; `None` when it is time to stop. The slot comes first: beyond the
/// last one, connections wait in the system's queue.
async fn accept(
    listener: &TcpListener,
    slots: &Arc<Semaphore>,
    open: &mut JoinSet<()>,
    stop: &CancellationToken,
) -> Option<(TcpStream, SocketAddr, tokio::sync::OwnedSemaphorePermit)> {
    let slot = tokio::select! {
        slot = Arc::clone(slots).acquire_owned() => slot.ok()?,
        () = stop.cancelled() => return None,
    };
    loop {
        tokio::select! {
            biased;
            () = stop.cancelled() => return None,
            Some(_) = open.join_next() => {}
            accepted = listener.accept() => match accepted {
                Ok((stream, peer)) => return Some((stream, peer, slot)),
                Err(error) => {
                    telemetry::log_error("a connection could not be accepted", &error);
                    sleep(ACCEPT_PAUSE).await;
                }
            },
        }
    }
}

struct Connection {
    builder: Builder<TokioExecutor>,
    limits: LimitConfig,
    stop: CancellationToken,
}

impl Connection {
    /// Failures of a connection are the other side's business: it went away, or did not speak HTTP.
    async fn run(self, stream: TcpStream, peer: SocketAddr, router: Router) {
        // Small answers are whole: waiting to fill a packet (Nagle) would only delay them.
        let _ = stream.set_nodelay(true);
        let (mut reading, writing) = stream.into_split();
        let Some(said) = self.first_words(&mut reading).await else { return };
        let stream = join(Cursor::new(said).chain(reading), writing);
        let leaving = Leaving(self.stop.child_token());
        let told = leaving.clone();
        let service = router.map_request(move |mut request: Request<Incoming>| {
            request.extensions_mut().insert(Peer(peer));
            request.extensions_mut().insert(told.clone());
            request
        });
        let serving = self.builder.serve_connection(TokioIo::new(stream), TowerToHyperService::new(service));
        let mut serving = pin!(serving);
        tokio::select! {
            _ = serving.as_mut() => return,
            () = self.stop.cancelled() => {}
            () = sleep(jittered(self.limits.max_connection_age)) => {}
        }
        // HTTP/2 callers are told to go (GOAWAY), HTTP/1.1 ones by `connection: close`; calls under way go
        // on, and watches end.
        leaving.0.cancel();
        serving.as_mut().graceful_shutdown();
        let _ = timeout(self.limits.max_connection_age_grace, serving).await;
    }

    /// Port scanners and load balancers connect and say nothing, others begin and do not go on. hyper sets no
    /// timer before it knows which HTTP is spoken (hyper-util 0.1, `ReadVersion`).
    async fn first_words(&self, stream: &mut (impl AsyncRead + Unpin)) -> Option<Vec<u8>> {
        tokio::select! {
            said = timeout(self.limits.header_timeout, first_words(stream)) => said.ok()?,
            () = self.stop.cancelled() => None,
        }
    }
}

/// Reads the preface of HTTP/2, or as much as shows that it is none. `None`: nothing more comes.
async fn first_words(stream: &mut (impl AsyncRead + Unpin)) -> Option<Vec<u8>> {
    let mut said = [0; PREFACE.len()];
    let mut length = 0;
    while length < said.len() && PREFACE.starts_with(&said[..length]) {
        length += stream.read(&mut said[length..]).await.ok().filter(|read| *read > 0)?;
    }
    Some(said[..length].to_vec())
}

fn builder(protocol: Protocol, limits: &LimitConfig) -> Builder<TokioExecutor> {
    let mut builder = Builder::new(TokioExecutor::new());
    builder
        .http1()
        .timer(TokioTimer::new())
        .header_read_timeout(limits.header_timeout)
        .max_headers(MAX_HEADERS)
        .max_buf_size(MAX_HEADER_BYTES);
    if protocol == Protocol::Http1 {
        return builder.http1_only();
    }
    builder
        .http2()
        .timer(TokioTimer::new())
        .keep_alive_interval(limits.keepalive_interval)
        .keep_alive_timeout(limits.keepalive_timeout)
        .max_concurrent_streams(MAX_STREAMS)
        .max_header_list_size(MAX_HEADER_BYTES as u32);
    builder
}

/// A tenth more or less, so that connections made together do not come back together (gRFC A9).
fn jittered(age: Duration) -> Duration {
    age.mul_f64(rand::rng().random_range(0.9..=1.1))
}

#[cfg(test)]
mod tests {
    use tokio::io::AsyncWriteExt;

    use super::*;

    #[tokio::test]
    async fn first_words_are_read_until_it_is_clear_which_http_is_spoken() {
        let preface = std::str::from_utf8(&PREFACE).unwrap();
        for (pieces, expected) in [
            (&["PRI * HT", "TP/2.0\r\n\r\nSM\r\n\r\n", "more"][..], Some(preface)),
            (&["P", "OST / HTTP/1.1"], Some("POST / HTTP/1.1")),
            (&["GET"], Some("GET")),
            (&["PRI"], None),
            (&[], None),
        ] {
            let (mut ours, mut theirs) = tokio::io::duplex(64);
            let talk = async {
                for piece in pieces {
                    theirs.write_all(piece.as_bytes()).await.unwrap();
                    tokio::task::yield_now().await;
                }
                drop(theirs);
            };

            let (said, ()) = tokio::join!(first_words(&mut ours), talk);

            assert_eq!(said.as_deref(), expected.map(str::as_bytes), "{pieces:?}");
        }
    }
}
