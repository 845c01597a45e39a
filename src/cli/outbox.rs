//! `stellwerk outbox`.

use chrono::{DateTime, Utc};
use clap::{
    Args, Subcommand,
    builder::{PossibleValuesParser, TypedValueParser},
    value_parser,
};
use serde_json::{Value, json};

use super::{
    Failure,
    database::{Access, caller_in},
    moment, print,
};
use crate::{
    caller::Caller,
    domain::{
        Domain,
        dead_letter::{self, AT_MOST, Which},
        idempotency::Key,
    },
    error::Result,
    ids::{IntegrationId, MessageId, TenantId},
    page::{MAX_SIZE, Page},
    store::{
        dead_letter::{DeadLetter, Filter},
        diagnosis::{self, Standing},
    },
    words::MessageKind,
};

const MORE: &str = "and more: --limit shows up to 10000";

#[derive(Subcommand, Debug)]
pub enum Outbox {
    /// Tell what waits and what was given up, per tenant and kind of message, what has waited longest first.
    Status(Status),
    /// List a tenant's messages that were given up, and why.
    Dead(Dead),
    /// Give messages that were given up another chance, as if for the first time, behind what waits in their
    /// lanes.
    Requeue(Requeue),
}

#[derive(Args, Debug)]
pub struct Status {
    /// Lines at most.
    #[arg(
        long,
        value_name = "COUNT",
        default_value_t = 100,
        value_parser = value_parser!(i32).range(1..=10_000),
    )]
    limit: i32,
    /// Answer with one JSON object.
    #[arg(long)]
    json: bool,
    #[command(flatten)]
    access: Access,
}

/// Which of the messages that were given up; what is not said excludes none.
#[derive(Args, Debug)]
struct Choice {
    /// The kind of message.
    #[arg(long, value_name = "KIND", value_parser = kinds())]
    kind: Option<MessageKind>,
    /// Whose provider they ask.
    #[arg(long, value_name = "ID")]
    integration: Option<IntegrationId>,
    /// The code of why they were given up.
    #[arg(long, value_name = "CODE")]
    reason: Option<String>,
}

#[derive(Args, Debug)]
pub struct Dead {
    /// The tenant's id.
    #[arg(long, value_name = "ID")]
    tenant: TenantId,
    #[command(flatten)]
    choice: Choice,
    /// Messages at most, those first that were given up first.
    #[arg(
        long,
        value_name = "COUNT",
        default_value_t = 200,
        value_parser = value_parser!(u32).range(1..=10_000),
    )]
    limit: u32,
    /// Answer with one JSON object.
    #[arg(long)]
    json: bool,
    #[command(flatten)]
    access: Access,
}

#[derive(Args, Debug)]
pub struct Requeue {
    /// The tenant's id.
    #[arg(long, value_name = "ID")]
    tenant: TenantId,
    /// A message's id, as `outbox dead` lists it; may be given several times. If one of them is not there,
    /// none is requeued.
    #[arg(long = "message", value_name = "ID", conflicts_with_all = ["all", "kind", "integration", "reason"])]
    messages: Vec<MessageId>,
    #[command(flatten)]
    choice: Choice,
    /// All of the tenant's.
    #[arg(long, conflicts_with_all = ["kind", "integration", "reason"],
        required_unless_present_any = ["messages", "kind", "integration", "reason"])]
    all: bool,
    /// Answer with one JSON object.
    #[arg(long)]
    json: bool,
    #[command(flatten)]
    access: Access,
}

impl Outbox {
    pub(super) async fn run(self) -> Result<(), Failure> {
        match self {
            Self::Status(command) => command.run().await,
            Self::Dead(command) => command.run().await,
            Self::Requeue(command) => command.run().await,
        }
    }
}

impl Status {
    async fn run(self) -> Result<(), Failure> {
        let domain = self.access.domain_to_look().await?;
        let mut rows = diagnosis::outbox(&domain.store, self.limit + 1).await?;
        let is_cut = rows.len() > self.limit as usize;
        rows.truncate(self.limit as usize);
        let value =
            json!({ "messages": rows.iter().map(standing_value).collect::<Vec<_>>(), "is_cut": is_cut });
        let mut lines: Vec<String> = rows.iter().map(standing_line).collect();
        if rows.is_empty() {
            lines.push("nothing waits, nothing was given up".into());
        }
        if is_cut {
            lines.push(MORE.into());
        }
        print(self.json, &value, &lines);
        Ok(())
    }
}

fn kinds() -> impl TypedValueParser<Value = MessageKind> {
    let words = MessageKind::ALL.iter().map(|kind| kind.as_str());
    PossibleValuesParser::new(words).try_map(|word| word.parse::<MessageKind>())
}

impl Choice {
    /// Only what was given up before `until`: what dies again meanwhile is not taken up again at once.
    fn filter(self, until: Option<DateTime<Utc>>) -> Filter {
        let Self { kind, integration, reason } = self;
        Filter { kind, integration, reason, dead_time_from: None, dead_time_until: until }
    }
}

impl Dead {
    async fn run(self) -> Result<(), Failure> {
        let domain = self.access.domain_to_look().await?;
        let caller = caller_in(&domain, self.tenant).await?;
        let (letters, is_cut) = listed(&domain, &caller, &self.choice.filter(None), self.limit).await?;
        let value =
            json!({ "dead_letters": letters.iter().map(letter_value).collect::<Vec<_>>(), "is_cut": is_cut });
        let mut lines: Vec<String> = letters.iter().map(letter_line).collect();
        if letters.is_empty() {
            lines.push("nothing was given up".into());
        }
        if is_cut {
            lines.push(MORE.into());
        }
        print(self.json, &value, &lines);
        Ok(())
    }
}

/// At most `limit`, and whether there are more.
async fn listed(
    domain: &Domain,
    caller: &Caller,
    filter: &Filter,
    limit: u32,
) -> Result<(Vec<DeadLetter>, bool)> {
    let limit = limit as usize;
    let mut page = Page { size: MAX_SIZE.into(), after: None };
    let mut letters = Vec::new();
    loop {
        let part = dead_letter::list(domain, caller, filter, &page).await?;
        letters.extend(part.rows);
        let is_cut = letters.len() > limit || part.next.is_some();
        match part.next {
            Some(next) if letters.len() < limit => page.after = Some(next),
            _ => {
                letters.truncate(limit);
                return Ok((letters, is_cut));
            }
        }
    }
}

impl Requeue {
    async fn run(self) -> Result<(), Failure> {
        let domain = self.access.domain_to_look().await?;
        let caller = caller_in(&domain, self.tenant).await?;
        let unrepeated = Key::new("RequeueDeadLetters", "", b"");
        let which = if self.messages.is_empty() {
            Which::Matching(self.choice.filter(Some(Utc::now())))
        } else {
            Which::Named(self.messages)
        };
        let mut requeued = 0;
        loop {
            let count = dead_letter::requeue(&domain, &caller, &unrepeated, &which).await?;
            requeued += count;
            if count < AT_MOST || matches!(which, Which::Named(_)) {
                break;
            }
        }
        print(self.json, &json!({ "requeued": requeued }), &[format!("requeued: {requeued}")]);
        Ok(())
    }
}

fn standing_value(row: &Standing) -> Value {
    json!({
        "tenant_id": row.tenant_id, "kind": row.kind, "is_held": row.is_held, "waiting": row.waiting,
        "dead": row.dead, "oldest_age_s": row.oldest_age_s, "lane": row.lane, "attempts": row.attempts,
        "reason": row.reason,
    })
}

fn standing_line(row: &Standing) -> String {
    let held = if row.is_held { "  held by its integration" } else { "" };
    let oldest = row.oldest_age_s.zip(row.lane.as_ref()).map_or_else(String::new, |(age_s, lane)| {
        let attempts = row.attempts.unwrap_or_default();
        let reason = row.reason.as_deref().unwrap_or("-");
        format!("  oldest {age_s:.0} s, {attempts} attempts, {reason}, lane {lane}")
    });
    let Standing { tenant_id, kind, waiting, dead, .. } = row;
    format!("{tenant_id}  {kind:20}  {waiting} waiting  {dead} dead{oldest}{held}")
}

fn letter_value(letter: &DeadLetter) -> Value {
    json!({
        "message_id": letter.id, "kind": letter.kind.as_str(), "lane": letter.lane, "reason": letter.reason,
        "attempts": letter.attempts, "cause": letter.cause, "integration_id": letter.integration_id,
        "create_time": moment(letter.create_time), "dead_time": moment(letter.dead_time),
    })
}

fn letter_line(letter: &DeadLetter) -> String {
    let reason = letter.reason.as_deref().unwrap_or("-");
    format!(
        "{}  {:20}  {reason}  {} attempts  dead since {}  by {}  lane {}",
        letter.id,
        letter.kind.as_str(),
        letter.attempts,
        moment(letter.dead_time),
        letter.cause,
        letter.lane
    )
}
