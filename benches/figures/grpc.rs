//! gRPC as lean as it gets: frames made beforehand, over HTTP/2 connections shared by many callers, so that
//! what is measured is the server.

use std::net::SocketAddr;

use futures::future::poll_fn;
use h2::client::{self, SendRequest};
use http::{
    HeaderMap, HeaderValue, Method, Request,
    header::{AUTHORIZATION, CONTENT_TYPE, TE},
};
use prost::{
    Message,
    bytes::{BufMut, Bytes, BytesMut},
};
use tokio::net::TcpStream;

use crate::Result;

/// Room for the answers of all callers of a connection.
const WINDOW_BYTES: u32 = 1 << 24;
/// Whether the message is compressed, and its length.
const FRAME_HEAD_BYTES: usize = 5;

/// A connection; clones share it.
#[derive(Clone)]
pub(crate) struct Channel {
    send: SendRequest<Bytes>,
    to: SocketAddr,
}

/// An rpc, ready to be sent any number of times.
#[derive(Clone)]
pub(crate) struct Call {
    path: &'static str,
    authorization: HeaderValue,
    frame: Bytes,
}

/// What an rpc was answered, which may be a refusal.
pub(crate) struct Answer {
    pub(crate) status: String,
    pub(crate) detail: String,
    pub(crate) message: Bytes,
}

impl Channel {
    pub(crate) async fn connect(to: SocketAddr) -> Result<Self> {
        let stream = TcpStream::connect(to).await?;
        stream.set_nodelay(true)?;
        let mut builder = client::Builder::new();
        builder.initial_window_size(1 << 20).initial_connection_window_size(WINDOW_BYTES);
        let (send, connection) = builder.handshake(stream).await?;
        tokio::spawn(connection);
        Ok(Self { send, to })
    }

    pub(crate) async fn several(to: SocketAddr, count: usize) -> Result<Vec<Self>> {
        futures::future::try_join_all((0..count).map(|_| Self::connect(to))).await
    }

    /// Calls, whatever the answer.
    pub(crate) async fn ask(&self, call: &Call) -> Result<Answer> {
        let mut request = Request::new(());
        *request.method_mut() = Method::POST;
        *request.uri_mut() = format!("http://{}{}", self.to, call.path).parse()?;
        let headers = request.headers_mut();
        headers.insert(CONTENT_TYPE, HeaderValue::from_static("application/grpc"));
        headers.insert(TE, HeaderValue::from_static("trailers"));
        headers.insert(AUTHORIZATION, call.authorization.clone());

        let mut send = self.send.clone().ready().await?;
        let (response, mut body) = send.send_request(request, false)?;
        body.send_data(call.frame.clone(), true)?;
        let (head, mut body) = response.await?.into_parts();
        let mut read = BytesMut::new();
        while let Some(data) = body.data().await {
            let data = data?;
            body.flow_control().release_capacity(data.len())?;
            read.extend_from_slice(&data);
        }
        let trailers = poll_fn(|context| body.poll_trailers(context)).await?;
        let told = trailers.as_ref().unwrap_or(&head.headers);
        let message = if read.len() < FRAME_HEAD_BYTES {
            Bytes::new()
        } else {
            read.split_off(FRAME_HEAD_BYTES).freeze()
        };
        Ok(Answer { status: text(told, "grpc-status"), detail: text(told, "grpc-message"), message })
    }

    /// Calls; anything but OK is an error.
    pub(crate) async fn call(&self, call: &Call) -> Result<Bytes> {
        let answer = self.ask(call).await?;
        if answer.is_ok() {
            Ok(answer.message)
        } else {
            Err(format!("{} was answered {} {}", call.path, answer.status, answer.detail).into())
        }
    }
}

impl Call {
    pub(crate) fn new(path: &'static str, api_key: &str, message: &impl Message) -> Result<Self> {
        let mut frame = BytesMut::with_capacity(FRAME_HEAD_BYTES + message.encoded_len());
        frame.put_u8(0);
        frame.put_u32(u32::try_from(message.encoded_len())?);
        message.encode(&mut frame)?;
        let authorization = HeaderValue::from_str(&format!("Bearer {api_key}"))?;
        Ok(Self { path, authorization, frame: frame.freeze() })
    }
}

impl Answer {
    pub(crate) fn is_ok(&self) -> bool {
        self.status == "0"
    }
}

fn text(headers: &HeaderMap, name: &str) -> String {
    headers.get(name).map(|value| String::from_utf8_lossy(value.as_bytes()).into_owned()).unwrap_or_default()
}
