//! Whatever is posted, the server stays upright: no answer of 500 and above, no event that fails through us.

use base64::{Engine, engine::general_purpose::STANDARD as BASE64};
use chrono::{TimeDelta, Utc};
use futures::{StreamExt, stream};
use http::{HeaderMap, HeaderName, HeaderValue};
use rand::{Rng, SeedableRng, distr::Alphanumeric, rngs::StdRng, seq::IndexedRandom};
use serde_json::{Map, Value, json};
use stellwerk::proto::SignatureScheme;

use super::erika;
use crate::support::{
    app::TestApp,
    booking_tool::TestBookingTool,
    desk,
    said::{NO_LIMIT, limit_new_endpoints, said, written},
    soak_rounds,
};

const AT_ONCE: usize = 8;

const EVENTS: [&str; 9] = [
    "ping",
    "patient.created",
    "patient.updated",
    "patient.deleted",
    "appointment.created",
    "appointment.updated",
    "appointment.cancelled",
    "appointment.",
    "patient.created\u{0}",
];

const FIELDS: [&str; 18] = [
    "id",
    "patient_id",
    "vorname",
    "nachname",
    "first_name",
    "last_name",
    "email",
    "telefon",
    "phone",
    "geburtsdatum",
    "birth_date",
    "scheduled_at",
    "duration_minutes",
    "therapist_name",
    "service_name",
    "status",
    "reason",
    "cancelled_at",
];

/// One source of everything random; its seed is printed with every failure.
struct Noise(StdRng);

impl Noise {
    fn text(&mut self) -> String {
        const PIECES: [&str; 24] = [
            "",
            " ",
            "Erika",
            "Muster",
            "Dr. Anna Beispiel",
            "erika@example.org",
            "a@b.com,booking_email.eq.x@y.de",
            "+49 30 1234567",
            "030",
            "1980-02-01",
            "0000-00-00",
            "2026-03-02T09:00:00+01:00",
            "9999-12-31T23:59:60Z",
            "-1",
            "scheduled",
            "cancelled",
            "'; DROP TABLE patient; --",
            "\u{0}",
            "\u{202e}",
            "👩‍⚕️",
            "%s%n",
            "${jndi:x}",
            "\\ud800",
            "p-1",
        ];
        let mut text = String::new();
        for _ in 0..self.0.random_range(1..4) {
            text.push_str(PIECES.choose(&mut self.0).copied().unwrap_or_default());
        }
        match self.0.random_range(0..60) {
            0 => text.repeat(500),
            // What PostgreSQL cannot make shorter, as ids in an index must be.
            1 => (&mut self.0).sample_iter(Alphanumeric).take(8_000).map(char::from).collect(),
            _ => text,
        }
    }

    fn value(&mut self, depth: u32) -> Value {
        match self.0.random_range(0..if depth == 0 { 8 } else { 10 }) {
            0 => Value::Null,
            1 => self.0.random::<bool>().into(),
            2 => self.0.random::<i64>().into(),
            3 => self.0.random_range(-10..2000).into(),
            4 => (self.0.random::<f64>() * 1e300).into(),
            5..=7 => self.text().into(),
            8 => (0..self.0.random_range(0..4)).map(|_| self.value(depth - 1)).collect(),
            _ => self.object(depth - 1).into(),
        }
    }

    fn object(&mut self, depth: u32) -> Map<String, Value> {
        let count = self.0.random_range(0..8);
        (0..count)
            .map(|_| {
                let name = FIELDS.choose(&mut self.0).copied().unwrap_or_default().to_string();
                (name, self.value(depth))
            })
            .collect()
    }

    /// Mostly right, so that it comes far, with a field or two that are anything.
    fn near_miss(&mut self) -> Value {
        let start = Utc::now() + TimeDelta::minutes(self.0.random_range(-100_000..100_000));
        let mut data = json!({
            "id": self.0.random_range(0..20), "patient_id": self.0.random_range(0..20),
            "nachname": "Muster", "vorname": "Erika",
            "scheduled_at": written(start), "duration_minutes": 30, "therapist_name": "Dr. Anna Beispiel",
        });
        let noise = self.object(2);
        if let Some(data) = data.as_object_mut()
            && self.0.random_ratio(2, 3)
        {
            data.extend(noise.into_iter().take(2));
        }
        let mut event = said(EVENTS.choose(&mut self.0).copied().unwrap_or_default(), data);
        if self.0.random_ratio(1, 2) {
            event["occurred_at"] =
                if self.0.random_ratio(3, 4) { written(start).into() } else { self.value(1) };
        }
        if self.0.random_ratio(1, 3) {
            event["id"] = if self.0.random_ratio(3, 4) {
                json!(format!("e-{}", self.0.random_range(0..200)))
            } else {
                self.value(1)
            };
        }
        event
    }

    fn body(&mut self) -> Vec<u8> {
        match self.0.random_range(0..10) {
            0 => (0..self.0.random_range(0..2000)).map(|_| self.0.random()).collect(),
            1 => self.value(4).to_string().into_bytes(),
            2 => {
                let mut cut = self.near_miss().to_string().into_bytes();
                cut.truncate(self.0.random_range(0..cut.len()));
                cut
            }
            3 => {
                let mut flipped = self.near_miss().to_string().into_bytes();
                let at = self.0.random_range(0..flipped.len());
                flipped[at] = self.0.random();
                flipped
            }
            _ => self.near_miss().to_string().into_bytes(),
        }
    }

    /// Signed as it should be for half of them, with headers of all sorts beside.
    fn headers(&mut self, tool: &TestBookingTool, body: &[u8]) -> HeaderMap {
        const NAMES: [&str; 8] = [
            "webhook-id",
            "webhook-timestamp",
            "webhook-signature",
            "x-webhook-signature",
            "x-forwarded-for",
            "content-encoding",
            "accept",
            "x-request-id",
        ];
        let now = Utc::now().timestamp();
        let mut headers = HeaderMap::new();
        if self.0.random_ratio(3, 4) {
            let id = format!("msg_{}", self.0.random::<u32>());
            headers = tool.signed(&id, now, body);
        }
        if self.0.random_ratio(1, 3) {
            for _ in 0..self.0.random_range(1..4) {
                let name = HeaderName::from_static(NAMES.choose(&mut self.0).copied().unwrap_or("accept"));
                let value = match self.0.random_range(0..4) {
                    0 => (0..self.0.random_range(0..100)).map(|_| self.0.random_range(0x20..0x7f)).collect(),
                    1 => (0..self.0.random_range(0..100)).map(|_| self.0.random_range(0x80..=0xff)).collect(),
                    2 => format!("v1,{}", BASE64.encode(self.text())).into_bytes(),
                    _ => self.0.random::<i64>().to_string().into_bytes(),
                };
                if let Ok(value) = HeaderValue::from_bytes(&value) {
                    headers.append(name, value);
                }
            }
        }
        headers
    }
}

/// P2.
#[tokio::test]
async fn whatever_is_posted_is_answered_below_500() {
    make_noise(20_260_302, 500).await;
}

/// P2.
#[tokio::test]
async fn soak_whatever_is_posted_is_answered_below_500() {
    for _ in 0..soak_rounds() {
        make_noise(rand::random(), 10_000).await;
    }
}

async fn make_noise(seed: u64, count: usize) {
    let app = TestApp::start().await;
    let acme = app.tenant("acme").await;
    limit_new_endpoints(&acme.admin, NO_LIMIT).await;
    desk::add_practitioner(&acme.admin, "Dr. Anna Beispiel", &[]).await;
    let tools = [
        acme.booking_tool(SignatureScheme::Legacy).await,
        acme.booking_tool(SignatureScheme::Standard).await,
    ];
    let mut noise = Noise(StdRng::seed_from_u64(seed));

    let deliveries: Vec<_> = (0..count)
        .map(|number| {
            let tool = &tools[number % 2];
            let body = noise.body();
            (tool, noise.headers(tool, &body), body)
        })
        .collect();
    let answers: Vec<_> = stream::iter(deliveries)
        .map(async |(tool, headers, body)| (tool.try_post(headers, body.clone()).await, body))
        .buffer_unordered(AT_ONCE)
        .collect()
        .await;

    let mut kept = 0;
    for (answer, body) in answers {
        let answer = answer
            .unwrap_or_else(|error| panic!("seed {seed}: no answer to {}: {error:?}", body.escape_ascii()));
        assert!(answer.status.as_u16() < 500, "seed {seed}: {} to {}", answer.status, body.escape_ascii());
        kept += usize::from(answer.status == 200);
    }
    assert!(kept > count / 10, "seed {seed}: only {kept} were fit at all");
    let owner = app.database.owner().await;
    let failed = owner.lines(
        "SELECT event_type || ' ' || coalesce(delivery_id, '') FROM webhook_event WHERE reason = 'INTERNAL'",
    );
    assert_eq!(failed.await, [""; 0], "seed {seed}");
    assert_eq!(tools[0].tell(&said("patient.created", erika())).await.kept(), "success");
}
