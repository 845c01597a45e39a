//! The upper line: tonic alone, in a process of its own, answering the path of GetAppointment with an
//! appointment of the same size and doing nothing for it.

use std::{
    convert::Infallible,
    env,
    future::{Ready, ready},
    io::Read,
    net::SocketAddr,
    process::{ExitCode, Stdio},
    task::{Context, Poll},
};

use futures::future::BoxFuture;
use stellwerk::proto::{GetAppointmentRequest, GetAppointmentResponse};
use tokio::{
    io::{AsyncBufReadExt, BufReader},
    net::TcpListener,
    process::{Child, Command},
};
use tonic::{
    Request, Response, Status,
    body::Body,
    server::{Grpc, NamedService, UnaryService},
    transport::{Server, server::TcpIncoming},
};
use tonic_prost::ProstCodec;
use tower::Service;

use crate::{Result, rpcs};

/// Set for the process that is the echo.
pub(crate) const ROLE: &str = "STELLWERK_BENCH_ECHO";

/// The echo's process; killed when dropped.
pub(crate) struct Echo {
    _child: Child,
    pub(crate) address: SocketAddr,
}

#[derive(Clone)]
struct Answering(GetAppointmentResponse);

impl Echo {
    /// This program once more, as the echo.
    pub(crate) async fn start() -> Result<Self> {
        let mut child = Command::new(env::current_exe()?)
            .env(ROLE, "1")
            // The echo ends when its standard input does, which it does however we end.
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .kill_on_drop(true)
            .spawn()?;
        let output = child.stdout.take().ok_or("no standard output")?;
        let mut line = String::new();
        BufReader::new(output).read_line(&mut line).await?;
        Ok(Self { _child: child, address: line.trim().parse()? })
    }
}

/// What the echo's process does.
pub(crate) fn serve() -> ExitCode {
    match tokio::runtime::Runtime::new().map_err(Into::into).and_then(|runtime| runtime.block_on(answer())) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("the echo failed: {error}");
            ExitCode::FAILURE
        }
    }
}

async fn answer() -> Result<()> {
    let listener = TcpListener::bind("127.0.0.1:0").await?;
    println!("{}", listener.local_addr()?);
    let incoming = TcpIncoming::from(listener).with_nodelay(Some(true));
    let service = Answering(GetAppointmentResponse { appointment: Some(rpcs::sample_appointment()) });
    let end = async {
        let _ = tokio::task::spawn_blocking(|| std::io::stdin().read(&mut [0])).await;
    };
    Ok(Server::builder().add_service(service).serve_with_incoming_shutdown(incoming, end).await?)
}

impl NamedService for Answering {
    const NAME: &'static str = "stellwerk.v1.AppointmentService";
}

impl Service<http::Request<Body>> for Answering {
    type Response = http::Response<Body>;
    type Error = Infallible;
    type Future = BoxFuture<'static, std::result::Result<Self::Response, Infallible>>;

    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<std::result::Result<(), Infallible>> {
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, request: http::Request<Body>) -> Self::Future {
        let service = self.clone();
        Box::pin(async move { Ok(Grpc::new(ProstCodec::default()).unary(service, request).await) })
    }
}

impl UnaryService<GetAppointmentRequest> for Answering {
    type Response = GetAppointmentResponse;
    type Future = Ready<std::result::Result<Response<GetAppointmentResponse>, Status>>;

    fn call(&mut self, _: Request<GetAppointmentRequest>) -> Self::Future {
        ready(Ok(Response::new(self.0.clone())))
    }
}
