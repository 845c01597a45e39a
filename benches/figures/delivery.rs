//! The booking tool of 50 practices: signed events over keep-alive connections, every one a real change.

use std::{net::SocketAddr, time::Instant};

use base64::{Engine, engine::general_purpose::STANDARD as BASE64};
use chrono::{DateTime, DurationRound, SecondsFormat, TimeDelta, Utc};
use hmac::{Hmac, KeyInit, Mac};
use rand::{Rng, SeedableRng, rngs::StdRng};
use sha2::Sha256;
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::TcpStream,
    task::JoinSet,
};

use crate::{
    Result,
    report::{Tally, Window},
    scene::{BOOKINGS, PRACTITIONERS, TENANTS, endpoint_token, signing_key},
};

pub(crate) const SENDERS: usize = 32;
/// Appointments of each tenant that one sender moves, so that two never move the same.
const OWN: usize = BOOKINGS / SENDERS;
/// Where a booking lies in its two hours: pgbench's script uses the half minutes between.
const MINUTES: usize = 30;

/// An HTTP/1.1 connection, kept alive.
pub(crate) struct Connection {
    stream: TcpStream,
    read: Vec<u8>,
}

/// What came back.
pub(crate) struct Answer {
    pub(crate) status: u16,
    pub(crate) body: Vec<u8>,
}

/// All senders; they go on where they stopped.
pub(crate) struct Senders {
    senders: Vec<Sender>,
    body_bytes: usize,
}

struct Sender {
    number: usize,
    /// Events sent so far.
    sent: usize,
    /// The same for each of its bookings in each tenant.
    moves: Vec<[usize; OWN]>,
    first_start: DateTime<Utc>,
    keys: Vec<Hmac<Sha256>>,
    random: StdRng,
}

impl Connection {
    pub(crate) fn new(stream: TcpStream) -> Self {
        Self { stream, read: Vec::with_capacity(4096) }
    }

    /// Sends a whole request and reads its answer, which must name its length.
    pub(crate) async fn ask(&mut self, request: &[u8]) -> Result<Answer> {
        self.stream.write_all(request).await?;
        self.read.clear();
        let head = loop {
            if let Some(at) = self.read.windows(4).position(|four| four == b"\r\n\r\n") {
                break at + 4;
            }
            self.read_more().await?;
        };
        let text = std::str::from_utf8(&self.read[..head])?.to_ascii_lowercase();
        let status = text.split(' ').nth(1).ok_or("an answer without a status")?.parse()?;
        let length = text.lines().find_map(|line| line.strip_prefix("content-length: "));
        let length: usize = length.ok_or("an answer without a length")?.parse()?;
        while self.read.len() < head + length {
            self.read_more().await?;
        }
        Ok(Answer { status, body: self.read[head..].to_vec() })
    }

    async fn read_more(&mut self) -> Result<()> {
        if self.stream.read_buf(&mut self.read).await? == 0 {
            Err("the connection was closed".into())
        } else {
            Ok(())
        }
    }
}

impl Senders {
    pub(crate) fn new() -> Result<Self> {
        let today = Utc::now().duration_trunc(TimeDelta::days(1))?;
        let keys = (1..=TENANTS).map(|tenant| Hmac::new_from_slice(&signing_key(tenant)));
        let keys: Vec<Hmac<Sha256>> = keys.collect::<std::result::Result<_, _>>()?;
        let sender = |number| Sender {
            number,
            sent: 0,
            moves: vec![[0; OWN]; TENANTS],
            first_start: today + TimeDelta::days(30),
            keys: keys.clone(),
            random: StdRng::seed_from_u64(number as u64),
        };
        Ok(Self { senders: (0..SENDERS).map(sender).collect(), body_bytes: 0 })
    }

    /// All send as fast as they are answered. Any answer but a kept change is an error.
    pub(crate) async fn send(&mut self, to: SocketAddr, window: Window) -> Result<Tally> {
        let mut sending = JoinSet::new();
        for sender in self.senders.drain(..) {
            let stream = TcpStream::connect(to).await?;
            stream.set_nodelay(true)?;
            sending.spawn(sender.send(Connection::new(stream), window));
        }
        let mut all = window.tally();
        while let Some(sent) = sending.join_next().await {
            let (sender, tally, body_bytes) = sent??;
            all.add(tally);
            self.body_bytes = body_bytes;
            self.senders.push(sender);
        }
        Ok(all)
    }

    /// How long the last body was.
    pub(crate) fn body_bytes(&self) -> usize {
        self.body_bytes
    }
}

impl Sender {
    async fn send(mut self, mut connection: Connection, window: Window) -> Result<(Self, Tally, usize)> {
        let mut tally = window.tally();
        let mut body_bytes = 0;
        while window.is_open() {
            let tenant = self.random.random_range(1..=TENANTS);
            let body = self.next_body(tenant, Utc::now());
            let request = self.signed(tenant, &body, Utc::now().timestamp());
            body_bytes = body.len();
            let begin = Instant::now();
            let answer = connection.ask(&request).await?;
            tally.note(&window, begin);
            let text = String::from_utf8_lossy(&answer.body);
            if answer.status != 200 || !text.contains(r#""status":"success""#) {
                return Err(format!("a delivery was answered {} {text}", answer.status).into());
            }
        }
        Ok((self, tally, body_bytes))
    }

    /// Moves one of its bookings to the next minute.
    fn next_body(&mut self, tenant: usize, now: DateTime<Utc>) -> String {
        self.sent += 1;
        let own = self.random.random_range(0..OWN);
        let moves = &mut self.moves[tenant - 1][own];
        *moves += 1;
        let (booking, minute) = (self.number + SENDERS * own, *moves % MINUTES);
        let slot = i64::try_from(booking / PRACTITIONERS).unwrap_or_default();
        let start = self.first_start + TimeDelta::hours(2 * slot) + TimeDelta::minutes(minute as i64);
        format!(
            concat!(
                r#"{{"id":"evt_{}_{}_{}","event":"appointment.updated","occurred_at":"{}","#,
                r#""data":{{"id":"a{booking}","patient_id":"p{booking}","scheduled_at":"{}","#,
                r#""duration_minutes":30,"therapist_name":"Max Beispiel {}","#,
                r#""service_name":"Behandlung","status":"confirmed"}}}}"#,
            ),
            now.timestamp_millis(),
            self.number,
            self.sent,
            now.to_rfc3339_opts(SecondsFormat::Micros, true),
            start.to_rfc3339_opts(SecondsFormat::Secs, true),
            booking % PRACTITIONERS,
            booking = booking,
        )
    }

    fn signed(&self, tenant: usize, body: &str, now_s: i64) -> Vec<u8> {
        let id = format!("msg_{}_{}", self.number, self.sent);
        let signed = self.keys[tenant - 1].clone().chain_update(format!("{id}.{now_s}.{body}"));
        let signature = BASE64.encode(signed.finalize().into_bytes());
        format!(
            "POST /api/webhooks/booking/{} HTTP/1.1\r\nhost: bench\r\ncontent-type: application/json\r\n\
             webhook-id: {id}\r\nwebhook-timestamp: {now_s}\r\nwebhook-signature: v1,{signature}\r\n\
             content-length: {}\r\n\r\n{body}",
            endpoint_token(tenant),
            body.len()
        )
        .into_bytes()
    }
}
