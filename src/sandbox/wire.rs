//! The socket side: a listener that can go away and come back on its port, and connections that can be cut
//! while an answer is due.

use std::io;
use std::net::SocketAddr;
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicU8, Ordering};
use std::task::{Context, Poll};

use axum::Router;
use axum::body::Body;
use axum::response::Response;
use http::Request;
use hyper::body::Incoming;
use hyper_util::rt::TokioIo;
use hyper_util::service::TowerToHyperService;
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::net::{TcpListener, TcpSocket, TcpStream};
use tokio::sync::Mutex;
use tokio::task::{JoinHandle, JoinSet};
use tokio_util::sync::{CancellationToken, DropGuard};
use tower::ServiceExt as _;

const BACKLOG: u32 = 1024;

pub(crate) struct Wire {
    address: SocketAddr,
    router: Router,
    state: Mutex<State>,
}

enum State {
    Up {
        stop: DropGuard,
        serving: JoinHandle<()>,
    },
    /// The socket is bound, so that nobody else gets the port, and does not listen, so that callers are
    /// refused; none if somebody else had the port at once.
    Down(Option<TcpSocket>),
}

impl Wire {
    pub(crate) fn start(listener: TcpListener, router: Router) -> io::Result<Self> {
        let address = listener.local_addr()?;
        let state = Mutex::new(up(listener, router.clone()));
        Ok(Self { address, router, state })
    }

    /// Refuses connections and cuts those there are; nothing happens if it is down already.
    pub(crate) async fn stop(&self) {
        let mut state = self.state.lock().await;
        match std::mem::replace(&mut *state, State::Down(None)) {
            State::Up { stop, serving } => {
                drop(stop);
                let _ = serving.await;
                *state = State::Down(bound(self.address).ok());
            }
            down @ State::Down(_) => *state = down,
        }
    }

    /// Listens on the same port again; nothing happens if it is up already. Errors: somebody else has it.
    pub(crate) async fn start_again(&self) -> io::Result<()> {
        let mut state = self.state.lock().await;
        let State::Down(socket) = &mut *state else { return Ok(()) };
        let socket = match socket.take() {
            Some(socket) => socket,
            None => bound(self.address)?,
        };
        *state = up(socket.listen(BACKLOG)?, self.router.clone());
        Ok(())
    }
}

fn bound(address: SocketAddr) -> io::Result<TcpSocket> {
    let socket = if address.is_ipv4() { TcpSocket::new_v4() } else { TcpSocket::new_v6() }?;
    socket.set_reuseaddr(true)?;
    socket.bind(address)?;
    Ok(socket)
}

fn up(listener: TcpListener, router: Router) -> State {
    let stop = CancellationToken::new();
    let serving = tokio::spawn(serve(listener, router, stop.clone()));
    State::Up { stop: stop.drop_guard(), serving }
}

async fn serve(listener: TcpListener, router: Router, stop: CancellationToken) {
    let mut open = JoinSet::new();
    loop {
        tokio::select! {
            () = stop.cancelled() => break,
            Some(_) = open.join_next() => {}
            accepted = listener.accept() => match accepted {
                Ok((stream, _)) => {
                    open.spawn(converse(stream, router.clone()));
                }
                // Out of file descriptors, mostly; trying at once would burn a core.
                Err(_) => tokio::time::sleep(std::time::Duration::from_millis(50)).await,
            },
        }
    }
    drop(listener);
    open.shutdown().await;
}

async fn converse(stream: TcpStream, router: Router) {
    let _ = stream.set_nodelay(true);
    let knife = Knife::default();
    let wire = Cuttable { stream, knife: knife.clone() };
    let service = router.map_request(move |mut request: Request<Incoming>| {
        request.extensions_mut().insert(knife.clone());
        request
    });
    let connection = hyper::server::conn::http1::Builder::new();
    let _ = connection.serve_connection(TokioIo::new(wire), TowerToHyperService::new(service)).await;
}

/// Cuts one connection: the next thing written to it fails.
#[derive(Clone, Default)]
pub(crate) struct Knife(Arc<AtomicU8>);

const CLOSE: u8 = 1;
const RESET: u8 = 2;

impl Knife {
    /// The caller sees the connection end without an answer.
    pub(crate) fn close(&self) {
        self.0.store(CLOSE, Ordering::Release);
    }

    /// The caller sees it reset.
    pub(crate) fn reset(&self) {
        self.0.store(RESET, Ordering::Release);
    }
}

/// How a connection ends without an answer.
pub(crate) enum Cut {
    Reset,
    Close,
    /// Until the caller gives up.
    Hold,
}

impl Cut {
    pub(crate) async fn off(self, knife: &Knife) -> Response {
        match self {
            Self::Reset => knife.reset(),
            Self::Close => knife.close(),
            Self::Hold => std::future::pending().await,
        }
        Response::new(Body::empty())
    }
}

struct Cuttable {
    stream: TcpStream,
    knife: Knife,
}

impl Cuttable {
    fn check(&self) -> io::Result<()> {
        match self.knife.0.load(Ordering::Acquire) {
            CLOSE => Err(io::ErrorKind::BrokenPipe.into()),
            RESET => {
                self.stream.set_zero_linger()?;
                Err(io::ErrorKind::ConnectionReset.into())
            }
            _ => Ok(()),
        }
    }
}

impl AsyncRead for Cuttable {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_read(cx, buf)
    }
}

impl AsyncWrite for Cuttable {
    fn poll_write(mut self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &[u8]) -> Poll<io::Result<usize>> {
        self.check()?;
        Pin::new(&mut self.stream).poll_write(cx, buf)
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_flush(cx)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_shutdown(cx)
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bufs: &[io::IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        self.check()?;
        Pin::new(&mut self.stream).poll_write_vectored(cx, bufs)
    }

    fn is_write_vectored(&self) -> bool {
        self.stream.is_write_vectored()
    }
}
