//! `stellwerk doctor`.

use chrono::{DateTime, TimeDelta, Utc};
use clap::Args;
use secrecy::ExposeSecret;
use serde::Serialize;

use super::{
    Failure,
    database::{Access, Database},
    print,
};
use crate::{
    config::CallerConfig,
    domain::Domain,
    error::Error,
    store::{
        connect::owner_connection,
        diagnosis,
        migrate::{self, SchemaError},
    },
};

mod integrations;
mod queue;
mod root_keys;

/// Deliveries are refused when their timestamp is 300 s off.
const CLOCK_TOLERABLE: TimeDelta = TimeDelta::seconds(2);
const CLOCK_WRONG: TimeDelta = TimeDelta::seconds(60);

/// Look whether everything a server needs is in order, and say what to do: database, schema, login, root
/// keys, partitions, clock, the queue by kind, integrations that are not well. Changes nothing. Exit code 1
/// when something must be done.
#[derive(Args, Debug)]
pub struct Doctor {
    /// Also knock at the providers of connected integrations, as the server would: no credential is shown.
    /// Takes the server's settings of the way out, and some seconds for each that does not answer.
    #[arg(long)]
    network: bool,
    /// Answer with one JSON object.
    #[arg(long)]
    json: bool,
    #[command(flatten)]
    access: Access,
    #[command(flatten)]
    callers: CallerConfig,
}

/// How grave it is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
enum State {
    Ok,
    Warning,
    Failed,
}

#[derive(Debug, PartialEq, Eq, Serialize)]
struct Finding {
    check: &'static str,
    state: State,
    says: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    advice: Option<String>,
}

impl Doctor {
    pub(super) async fn run(self) -> Result<(), Failure> {
        let findings = self.examine().await;
        let failed = findings.iter().filter(|finding| finding.state == State::Failed).count();
        let lines: Vec<String> = findings.iter().flat_map(Finding::lines).collect();
        print(self.json, &serde_json::json!({ "healthy": failed == 0, "findings": findings }), &lines);
        match failed {
            0 => Ok(()),
            _ => Err(Failure { exit_code: 1, line: format!("{failed} of {} checks failed", findings.len()) }),
        }
    }

    /// Stops where the next check would only repeat the same trouble.
    async fn examine(&self) -> Vec<Finding> {
        let mut findings = Vec::new();
        let database = match Database::find(&self.access.database) {
            Ok(database) => database,
            Err(failure) => {
                return vec![Finding::failed(
                    "database",
                    failure.to_string(),
                    "name the database that the server uses",
                )];
            }
        };
        let (url, pool) = (database.service_url.expose_secret(), self.access.database.pool());
        match owner_connection(url, &pool).await {
            Ok(_) => findings.push(Finding::ok("database", "answers")),
            Err(error) => {
                let advice = "check DATABASE_URL, the network, and that PostgreSQL runs";
                findings.push(Finding::failed("database", Failure::from_chain(&error), advice));
                return findings;
            }
        }
        match migrate::check(url, &pool).await {
            Ok(Ok(())) => {
                findings.push(Finding::ok("schema", "has this program's version"));
                findings.push(Finding::ok("role", "the login may serve, and no more"));
            }
            Ok(Err(error)) => {
                findings.push(schema(&error));
                return findings;
            }
            Err(error) => {
                findings.push(unanswered("schema", &error));
                return findings;
            }
        }
        match self.access.domain_of(&database) {
            Ok(domain) => {
                findings.extend(examine_domain(&domain).await);
                if self.network {
                    findings.extend(integrations::knock(domain, &self.callers).await);
                }
            }
            Err(failure) => findings.push(Finding::failed(
                "root keys",
                failure.to_string(),
                "give the keys that the tenants' keys were wrapped with",
            )),
        }
        findings
    }
}

async fn examine_domain(domain: &Domain) -> Vec<Finding> {
    let begin = Utc::now();
    let clock_then = domain.store.clock().await;
    let ours = begin + (Utc::now() - begin) / 2;
    let mut findings = root_keys::examine(domain).await;
    findings.extend([
        told("partitions", diagnosis::missing_partitions(&domain.store).await, |missing| {
            partitions(&missing)
        }),
        told("clock", clock_then, |theirs| clock(ours, theirs)),
    ]);
    findings.extend(queue::examine(domain).await);
    findings.extend(integrations::examine(domain).await);
    findings
}

fn told<T>(check: &'static str, answer: Result<T, Error>, tell: impl FnOnce(T) -> Finding) -> Finding {
    answer.map_or_else(|error| unanswered(check, &error), tell)
}

fn unanswered(check: &'static str, error: &Error) -> Finding {
    Finding::failed(check, Failure::from_chain(error), "repeat; if it stays, the schema is not whole")
}

fn schema(error: &SchemaError) -> Finding {
    let (check, advice) = match error {
        SchemaError::Newer(_) => ("schema", "run the newer version of stellwerk"),
        SchemaError::Older(_) => ("schema", "run `stellwerk migrate` as the tables' owner"),
        SchemaError::RoleTooStrong(_) => {
            ("role", "make a login of its own: CREATE ROLE name LOGIN PASSWORD '…'")
        }
        SchemaError::Language(..) => ("role", "let PostgreSQL speak English to it, as said"),
        SchemaError::RoleMissing => {
            ("role", "run `stellwerk migrate --service-role NAME` as the tables' owner")
        }
    };
    Finding::failed(check, error.to_string(), advice)
}

fn partitions(missing: &[String]) -> Finding {
    if missing.is_empty() {
        return Finding::ok("partitions", "this month's and the next one's are there");
    }
    let says = format!("missing: {}; events go into the default partition", missing.join(", "));
    Finding::warning(
        "partitions",
        says,
        "run a server that works on the queue, too: it makes them every hour",
    )
}

fn clock(ours: DateTime<Utc>, theirs: DateTime<Utc>) -> Finding {
    let off = (ours - theirs).abs();
    let says = format!("{:.1} s off the database's", off.num_milliseconds() as f64 / 1000.0);
    let advice = "let both machines keep their time by NTP";
    if off >= CLOCK_WRONG {
        Finding::failed("clock", says, advice)
    } else if off >= CLOCK_TOLERABLE {
        Finding::warning("clock", says, advice)
    } else {
        Finding::ok("clock", says)
    }
}

impl Finding {
    fn ok(check: &'static str, says: impl Into<String>) -> Self {
        Self { check, state: State::Ok, says: says.into(), advice: None }
    }

    fn warning(check: &'static str, says: impl Into<String>, advice: &str) -> Self {
        Self { check, state: State::Warning, says: says.into(), advice: Some(advice.into()) }
    }

    fn failed(check: &'static str, says: impl Into<String>, advice: &str) -> Self {
        Self { check, state: State::Failed, says: says.into(), advice: Some(advice.into()) }
    }

    fn lines(&self) -> Vec<String> {
        let state = match self.state {
            State::Ok => "ok     ",
            State::Warning => "warning",
            State::Failed => "FAILED ",
        };
        let advice = self.advice.iter().map(|advice| format!("                      → {advice}"));
        [format!("{state}  {:12} {}", self.check, self.says)].into_iter().chain(advice).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_clock_is_judged_by_how_far_it_is_off_either_way() {
        let now = Utc::now();
        let off = |seconds| clock(now, now + TimeDelta::seconds(seconds)).state;

        assert_eq!([off(0), off(1), off(-1)], [State::Ok; 3]);
        assert_eq!([off(5), off(-5)], [State::Warning; 2]);
        assert_eq!([off(60), off(-3600)], [State::Failed; 2]);
    }
}
