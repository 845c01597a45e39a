//! A webhook of Cal.com's at an integration's endpoint: bodies shaped like the published ones,
//! signed as Cal.com signs.

use std::{fs, net::SocketAddr, path::PathBuf};

use chrono::{DateTime, SecondsFormat, TimeDelta, Utc};
use serde_json::{Value, json};
use stellwerk::{
    ids::{WebhookEndpointId, WebhookSecretId},
    provider::signature::sign_legacy,
    store::{
        self,
        webhook_endpoint::{WebhookEndpoint, WebhookSecret},
    },
    vault::{self, Place},
    words::SignatureScheme,
};
use uuid::Uuid;

use super::{
    app::TestApp,
    booking_tool::{Answer, client, headers},
    calcom::Connected,
    log_book,
};

/// One subscription's sender.
#[derive(Clone)]
pub(crate) struct Hook {
    http: SocketAddr,
    path: String,
    pub(crate) secret: String,
    client: reqwest::Client,
}

impl Hook {
    /// A new endpoint of the integration, without a limit.
    pub(crate) async fn of(app: &TestApp, practice: &Connected) -> Self {
        Self::with_limit(app, practice, 0).await
    }

    pub(crate) async fn with_limit(app: &TestApp, practice: &Connected, limit_per_minute: i32) -> Self {
        let key = app.domain.tenant_key(practice.tenant).await.expect("a key");
        let (endpoint, secret_id) = (WebhookEndpointId::new(), WebhookSecretId::new());
        let [token, secret] = [(); 2].map(|()| Uuid::now_v7().simple().to_string());
        [&token, &secret].into_iter().for_each(|text| log_book::secret(text));
        let now = Utc::now();
        let seal = |table, column, row, text: &str| {
            key.seal(Place { table, column, row }, text.as_bytes()).expect("sealed")
        };
        let row = WebhookEndpoint {
            id: endpoint,
            integration_id: practice.integration,
            provider: "calcom".into(),
            name: "test".into(),
            token_hash: vault::hash(token.as_bytes()),
            sealed_token: seal("webhook_endpoint", "sealed_token", endpoint.0, &token),
            scheme: SignatureScheme::Calcom,
            limit_per_minute,
            create_time: now,
            disable_time: None,
            base_url: None,
            is_clients: false,
            handshake_expire_time: None,
        };
        let mut tx = practice.tx().await;
        store::webhook_endpoint::insert(&mut tx, &row).await.expect("an endpoint");
        let row = WebhookSecret {
            id: secret_id,
            webhook_endpoint_id: endpoint,
            sealed_secret: seal("webhook_secret", "sealed_secret", secret_id.0, &secret),
            create_time: now,
            expire_time: None,
            show_time: Some(now),
        };
        store::webhook_endpoint::insert_secret(&mut tx, &row).await.expect("a secret");
        tx.commit().await.expect("committed");
        Self { http: app.http(), path: format!("/api/webhooks/calcom/{token}"), secret, client: client() }
    }

    /// The same sender with another secret.
    pub(crate) fn with_secret(&self, secret: &str) -> Self {
        Self { secret: secret.into(), ..self.clone() }
    }

    /// Where a double of Cal.com finds it.
    pub(crate) fn url(&self) -> String {
        format!("http://{}{}", self.http, self.path)
    }

    /// Delivers it signed, as it stands.
    pub(crate) async fn tell(&self, body: &Value) -> Answer {
        self.tell_bytes(body.to_string().into_bytes()).await
    }

    pub(crate) async fn tell_bytes(&self, body: Vec<u8>) -> Answer {
        let digest = sign_legacy(self.secret.as_bytes(), &body);
        let request = self.client.post(self.url()).headers(headers([("x-cal-signature-256", digest)]));
        let response = request.body(body).send().await.expect("an answer");
        let (status, headers) = (response.status(), response.headers().clone());
        let body = serde_json::from_slice(&response.bytes().await.expect("a body")).unwrap_or_default();
        Answer { status, headers, body }
    }
}

/// One of the bodies as published.
pub(crate) fn sample(name: &str) -> Value {
    let folder = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("tests/data/calcom");
    let text = fs::read_to_string(folder.join(format!("{name}.json"))).expect("a sample");
    serde_json::from_str(&text).expect("JSON")
}

/// What is told of one booking; a sample's body with these facts in it.
#[derive(Clone)]
pub(crate) struct Story {
    pub(crate) event_type: i64,
    pub(crate) uid: String,
    pub(crate) start: DateTime<Utc>,
    pub(crate) name: String,
    pub(crate) email: String,
}

impl Story {
    /// Erika Muster's visit of 30 minutes.
    pub(crate) fn new(practice: &Connected, uid: &str, start: DateTime<Utc>) -> Self {
        Self {
            event_type: practice.event_type,
            uid: uid.into(),
            start,
            name: "Erika Muster".into(),
            email: "erika@example.org".into(),
        }
    }

    pub(crate) fn at(&self, uid: &str, start: DateTime<Utc>) -> Self {
        Self { uid: uid.into(), start, ..self.clone() }
    }

    pub(crate) fn created(&self) -> Value {
        self.told("booking-created")
    }

    pub(crate) fn requested(&self) -> Value {
        self.told("booking-requested")
    }

    pub(crate) fn confirmed(&self) -> Value {
        self.told("booking-created.after-confirmation")
    }

    pub(crate) fn rejected(&self) -> Value {
        self.told("booking-rejected")
    }

    pub(crate) fn cancelled(&self) -> Value {
        self.told("booking-cancelled")
    }

    pub(crate) fn rescheduled_from(&self, uid: &str) -> Value {
        with(self.told("booking-rescheduled"), json!({ "rescheduleUid": uid }))
    }

    pub(crate) fn requested_from(&self, uid: &str) -> Value {
        with(self.told("booking-requested.from-reschedule"), json!({ "rescheduleUid": uid }))
    }

    pub(crate) fn no_show(&self, absent: bool) -> Value {
        let marks = json!([{ "email": self.email, "noShow": absent }]);
        with(
            sent_now(sample("booking-no-show-updated")),
            json!({ "bookingUid": self.uid, "attendees": marks }),
        )
    }

    pub(crate) fn ended(&self) -> Value {
        let mut body = sample("meeting-ended");
        for (name, value) in [("uid", json!(self.uid)), ("eventTypeId", json!(self.event_type))] {
            body[name] = value;
        }
        body
    }

    /// A sample with these facts.
    pub(crate) fn told(&self, sample_name: &str) -> Value {
        let mut body = sent_now(sample(sample_name));
        let payload = &mut body["payload"];
        if let Some(attendee) = payload["attendees"].get_mut(0) {
            attendee["name"] = json!(self.name);
            attendee["email"] = json!(self.email);
        }
        with(
            body,
            json!({
                "uid": self.uid,
                "eventTypeId": self.event_type,
                "startTime": written(self.start),
                "endTime": written(self.start + TimeDelta::minutes(30)),
            }),
        )
    }
}

/// The body with these keys of its payload replaced.
pub(crate) fn with(mut body: Value, keys: Value) -> Value {
    for (name, value) in keys.as_object().expect("keys") {
        body["payload"][name] = value.clone();
    }
    body
}

/// No two deliveries of Cal.com are sent in the same moment.
pub(crate) fn sent_now(mut body: Value) -> Value {
    body["createdAt"] = json!(Utc::now().to_rfc3339_opts(SecondsFormat::Nanos, true));
    body
}

fn written(at: DateTime<Utc>) -> String {
    at.to_rfc3339_opts(SecondsFormat::Secs, true)
}
