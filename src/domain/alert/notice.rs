//! What is told of an alert: facts about a tenant's integrations, nothing of a person, nothing secret.

use chrono::{DateTime, SecondsFormat, TimeDelta, Utc};
use serde::{Deserialize, Serialize};
use uuid::Uuid;

use crate::{
    ids::{AlertId, IntegrationId, TenantId},
    store::{alert::Alert, tenant::Tenant},
    words::AlertRule,
};

/// Why somebody is told.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Told {
    /// A rule is broken, or still is.
    Firing,
    Ended,
    /// Somebody wants to know whether notices arrive.
    Test,
}

/// What is told, and the JSON that a webhook gets.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Notice {
    /// Tells a repetition of this notice from another one.
    pub notice_id: Uuid,
    pub state: Told,
    pub alert_id: AlertId,
    /// Absent in a test.
    pub rule: Option<String>,
    pub tenant_id: TenantId,
    pub tenant_name: String,
    pub integration_id: Option<IntegrationId>,
    pub provider: Option<String>,
    /// What is wrong, in a sentence.
    pub text: String,
    /// What to do, in a sentence.
    pub advice: String,
    pub value: f64,
    pub threshold: f64,
    /// Of value and threshold.
    pub unit: String,
    pub begin_time: DateTime<Utc>,
    /// When it was told.
    pub time: DateTime<Utc>,
}

impl Told {
    pub(super) fn as_str(self) -> &'static str {
        match self {
            Self::Firing => "firing",
            Self::Ended => "ended",
            Self::Test => "test",
        }
    }
}

impl Notice {
    pub(super) fn of(
        alert: &Alert,
        told: Told,
        tenant: &Tenant,
        provider: Option<String>,
        now: DateTime<Utc>,
    ) -> Self {
        let Alert { rule, value, threshold, .. } = *alert;
        let advice = match told {
            Told::Firing => advice(rule),
            Told::Ended | Told::Test => "Nothing needs to be done.",
        };
        Self {
            notice_id: Uuid::now_v7(),
            state: told,
            alert_id: alert.id,
            rule: Some(rule.as_str().into()),
            tenant_id: tenant.id,
            tenant_name: tenant.name.clone(),
            integration_id: alert.integration_id,
            provider,
            text: said(rule, value, threshold),
            advice: advice.into(),
            value,
            threshold,
            unit: unit(rule).into(),
            begin_time: alert.begin_time,
            time: now,
        }
    }

    /// What is sent when somebody wants to know whether notices arrive.
    pub(super) fn test(tenant: &Tenant, now: DateTime<Utc>) -> Self {
        Self {
            notice_id: Uuid::now_v7(),
            state: Told::Test,
            alert_id: AlertId::new(),
            rule: None,
            tenant_id: tenant.id,
            tenant_name: tenant.name.clone(),
            integration_id: None,
            provider: None,
            text: "This is a test: alerts arrive here.".into(),
            advice: "Nothing needs to be done.".into(),
            value: 0.0,
            threshold: 0.0,
            unit: String::new(),
            begin_time: now,
            time: now,
        }
    }

    /// The lines for people: who, what, since when, what to do.
    pub(super) fn lines(&self) -> [String; 3] {
        let word = match self.state {
            Told::Firing => "Alert",
            Told::Ended => "Over",
            Told::Test => "Test",
        };
        let whose = match (&self.provider, self.integration_id) {
            (Some(provider), Some(id)) => format!("{}, {provider} integration {id}", self.tenant_name),
            _ => self.tenant_name.clone(),
        };
        let since = self.begin_time.to_rfc3339_opts(SecondsFormat::Secs, true);
        let lasted = self.time - self.begin_time;
        let when = match self.state {
            Told::Firing => format!("Since {since} ({}).", span(lasted)),
            Told::Ended => format!("From {since} on, for {}.", span(lasted)),
            Told::Test => format!("At {since}."),
        };
        [format!("{word} for {whose}: {}", self.text), when, self.advice.clone()]
    }
}

/// What to do about a broken rule, in a sentence for people.
pub fn advice(rule: AlertRule) -> &'static str {
    match rule {
        AlertRule::Failures => {
            "See what failed and why: ListSyncLogs, ListReviewItems and ListDeadLetters; \
             TestIntegration says whether the provider answers."
        }
        AlertRule::SyncSuccess => {
            "See which writes were refused: ListReviewItems, and \
             GetAppointmentHistory of the appointments they name."
        }
        AlertRule::ReviewQueue => "Decide the open items: ListReviewItems, ResolveReviewItem.",
        AlertRule::OutboxDepth => {
            "See whether a worker runs, and whether a provider is slow or out: GetIntegrationStatus, \
             stellwerk doctor."
        }
        AlertRule::Freshness => {
            "See why the provider is not read: GetIntegrationStatus; \
             connect again if the credential is refused."
        }
        AlertRule::Quarantine => {
            "See what came and why it was not taken in: ListWebhookEvents. An event type that is not \
             registered here appears with the next sync: StartSync."
        }
    }
}

fn said(rule: AlertRule, value: f64, threshold: f64) -> String {
    match rule {
        AlertRule::Failures => {
            format!("{value:.0} failures within an hour; more than {threshold:.0} are too many.")
        }
        AlertRule::SyncSuccess => format!(
            "{} of the writes and runs of a day succeeded; at least {} should.",
            percent(value),
            percent(threshold)
        ),
        AlertRule::ReviewQueue => {
            format!("{value:.0} review items wait for a decision; more than {threshold:.0} are too many.")
        }
        AlertRule::OutboxDepth => format!("{value:.0} messages wait; more than {threshold:.0} are too many."),
        AlertRule::Freshness => {
            let [value, threshold] =
                [value, threshold].map(|seconds| span(TimeDelta::seconds(seconds as i64)));
            format!("What the provider has was last read {value} ago; more than {threshold} is too long.")
        }
        AlertRule::Quarantine => {
            format!(
                "{value:.0} deliveries were quarantined within an hour; more than {threshold:.0} is wrong."
            )
        }
    }
}

fn unit(rule: AlertRule) -> &'static str {
    match rule {
        AlertRule::Failures => "failures per hour",
        AlertRule::SyncSuccess => "share",
        AlertRule::ReviewQueue => "review items",
        AlertRule::OutboxDepth => "messages",
        AlertRule::Freshness => "seconds",
        AlertRule::Quarantine => "quarantined deliveries per hour",
    }
}

/// Rounded down, so that what is too little never reads as enough.
fn percent(share: f64) -> String {
    format!("{} %", (share * 1000.0 + 1e-9).floor() / 10.0)
}

fn span(span: TimeDelta) -> String {
    let minutes = span.num_minutes().max(0);
    match (minutes / 1440, minutes / 60, minutes) {
        (0, 0, minutes) => format!("{minutes} min"),
        (0, hours, minutes) => format!("{hours} h {} min", minutes % 60),
        (days, hours, _) => format!("{days} d {} h", hours % 24),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_rule_says_what_was_measured_and_what_is_too_much() {
        let said: Vec<String> = [
            said(AlertRule::Failures, 7.0, 5.0),
            said(AlertRule::SyncSuccess, 0.98999, 0.99),
            said(AlertRule::ReviewQueue, 11.0, 10.0),
            said(AlertRule::OutboxDepth, 10_000.0, 50.0),
            said(AlertRule::Freshness, 5_400.0, 900.0),
            said(AlertRule::Quarantine, 2.0, 0.0),
        ]
        .into();

        insta::assert_snapshot!(said.join("\n"), @r"
        7 failures within an hour; more than 5 are too many.
        98.9 % of the writes and runs of a day succeeded; at least 99 % should.
        11 review items wait for a decision; more than 10 are too many.
        10000 messages wait; more than 50 are too many.
        What the provider has was last read 1 h 30 min ago; more than 15 min is too long.
        2 deliveries were quarantined within an hour; more than 0 is wrong.
        ");
    }

    #[test]
    fn spans_are_told_in_the_units_that_matter() {
        let told = [0, 59, 60, 1439, 1440, 10_000].map(|minutes| span(TimeDelta::minutes(minutes)));

        assert_eq!(told, ["0 min", "59 min", "1 h 0 min", "23 h 59 min", "1 d 0 h", "6 d 22 h"]);
    }
}
