//! `stellwerk provider`.

use clap::{Args, Subcommand};
use serde_json::json;

use super::{Failure, print};
use crate::provider::catalog::{self, Adapter, Connect, Noun, Provider as Row, webhook::Setup};

#[derive(Subcommand, Debug)]
pub enum Provider {
    /// What can be linked, and what works with each.
    List(List),
}

#[derive(Args, Debug)]
pub struct List {
    /// Answer with one JSON object.
    #[arg(long)]
    json: bool,
}

impl Provider {
    pub(super) fn run(self) -> Result<(), Failure> {
        match self {
            Self::List(command) => {
                command.run();
                Ok(())
            }
        }
    }
}

impl List {
    fn run(self) {
        let rows: Vec<[String; 5]> = catalog::all().iter().map(|row| columns(row)).collect();
        let value = json!({
            "providers": rows.iter().map(|[key, connect, webhooks, inbound, outbound]| json!({
                "provider": key, "connect": connect, "webhooks": webhooks, "inbound": inbound,
                "outbound": outbound,
            })).collect::<Vec<_>>(),
        });
        let heading = ["provider", "connect", "webhooks", "in", "out"].map(str::to_owned);
        let table: Vec<[String; 5]> = std::iter::once(heading).chain(rows).collect();
        let widths = [0, 1, 2, 3].map(|column| table.iter().map(|row| row[column].len()).max().unwrap_or(0));
        let line = |row: &[String; 5]| {
            let cells = widths.iter().zip(row).map(|(width, cell)| format!("{cell:width$}"));
            let text = cells.chain([row[4].clone()]).collect::<Vec<_>>().join("  ");
            text.trim_end().to_owned()
        };
        let lines: Vec<String> = table.iter().map(line).collect();
        print(self.json, &value, &lines);
    }
}

/// Key, ways to connect, ways to sign, what comes in, what goes out.
fn columns(row: &Row) -> [String; 5] {
    let connect = match row.connect {
        Connect::OAuth(_) => "oauth",
        Connect::ApiKey(_) => "api key",
        Connect::OAuthOrApiKey(..) => "oauth, api key",
        Connect::WebhookOnly => "-",
    };
    let webhooks = match &row.webhook {
        None => "-".to_owned(),
        Some(webhook) if webhook.setup == Setup::Api && row.adapter != Adapter::None => "made here".into(),
        Some(webhook) => {
            let schemes = webhook.verifications.iter().map(|verification| verification.scheme.as_str());
            schemes.collect::<Vec<_>>().join(", ")
        }
    };
    [row.id.into(), connect.into(), webhooks, nouns(row.adapter.inbound()), nouns(row.adapter.outbound())]
}

fn nouns(nouns: &[Noun]) -> String {
    let word = |noun: &Noun| match noun {
        Noun::Patients => "patients",
        Noun::Appointments => "appointments",
        Noun::Projects => "projects",
        Noun::Phases => "phases",
        Noun::Absences => "absences",
        Noun::TimeEntries => "time entries",
    };
    match nouns {
        [] => "-".to_owned(),
        some => some.iter().map(word).collect::<Vec<_>>().join(", "),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_provider_is_told_with_what_works() {
        let told: Vec<String> = catalog::all().iter().map(|row| columns(row).join(" | ")).collect();

        assert_eq!(told.len(), 15);
        assert!(told.contains(
            &"asana | oauth | made here | projects, phases, absences, time entries | phases".to_owned()
        ));
        assert!(told.contains(&"slack | oauth | slack | - | -".to_owned()));
        assert!(told.contains(&"booking | - | standard, legacy | patients, appointments | -".to_owned()));
    }
}
