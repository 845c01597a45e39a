//! Whether the ways to providers are open.

use super::{Finding, unanswered};
use crate::{
    app::App,
    cli::Failure,
    config::CallerConfig,
    domain::{
        Domain,
        knock::{self, Knocked},
    },
    egress::EgressError,
    store::diagnosis::{self, Trouble},
    words::IntegrationState,
};

/// Findings at most; the rest is only counted.
const AT_MOST: usize = 50;

/// A finding for each integration that is not well.
pub(super) async fn examine(domain: &Domain) -> Vec<Finding> {
    match diagnosis::troubles(&domain.store, AT_MOST as i32 + 1).await {
        Ok(troubles) if troubles.is_empty() => {
            vec![Finding::ok("integrations", "none is to be connected again, no breaker is open")]
        }
        Ok(troubles) => told(&troubles),
        Err(error) => vec![unanswered("integrations", &error)],
    }
}

/// Knocks at the providers with the server's own settings.
pub(super) async fn knock(domain: Domain, callers: &CallerConfig) -> Vec<Finding> {
    let app = match App::new(domain, callers) {
        Ok(app) => app,
        Err(error) => {
            let advice = "give the settings that the server has";
            return vec![Finding::failed("network", Failure::from(error).to_string(), advice)];
        }
    };
    match knock::everywhere(&app.domain).await {
        Ok(knocked) if knocked.is_empty() => {
            vec![Finding::ok("network", "no integration is connected whose provider would be asked")]
        }
        Ok(knocked) => knocked.iter().map(reached).collect(),
        Err(error) => vec![unanswered("network", &error)],
    }
}

fn told(troubles: &[Trouble]) -> Vec<Finding> {
    let mut findings: Vec<Finding> = troubles.iter().take(AT_MOST).map(trouble).collect();
    if troubles.len() > AT_MOST {
        let advice = "see to these first; the others are told after that";
        findings.push(Finding::warning("integrations", format!("more than {AT_MOST} are not well"), advice));
    }
    findings
}

/// None fails the whole: what is to be done is the tenant's, or the provider's.
fn trouble(trouble: &Trouble) -> Finding {
    let Trouble { tenant_id, id, provider, state, breaker, reason } = trouble;
    let reason = reason.as_ref().map(|reason| format!(" ({reason})")).unwrap_or_default();
    let (what, advice) = if state == IntegrationState::NeedsReconnect.as_str() {
        ("is to be connected again", "an admin of the tenant connects it again, or gives another API key")
    } else if breaker == "half_open" {
        ("is being tried again after an outage", "wait; what waits goes on by itself when it answers")
    } else {
        ("does not answer, the breaker is open", "look at the provider's status page, and with --network")
    };
    Finding::warning("integrations", format!("{provider} {id} of tenant {tenant_id} {what}{reason}"), advice)
}

fn reached(knocked: &Knocked) -> Finding {
    let Knocked { provider, host, integrations, .. } = knocked;
    let place = format!("{provider} at {host} ({integrations} linked)");
    match knocked.answer {
        Ok((status, duration)) if status < 500 => {
            Finding::ok("network", format!("{place} answers within {} ms", duration.as_millis()))
        }
        Ok((status, _)) => {
            let advice = "look at the provider's status page; what waits goes on by itself";
            Finding::warning("network", format!("{place} answers {status}"), advice)
        }
        Err(error) => Finding::failed("network", format!("{place}: {error}"), remedy(error)),
    }
}

fn remedy(error: EgressError) -> &'static str {
    match error {
        EgressError::AddressRefused | EgressError::NotHttps => {
            "if this host is meant, name it in STELLWERK_EGRESS_ALLOW, here and at the server"
        }
        EgressError::NameUnresolved => "check this machine's name servers, and the integration's URL",
        EgressError::Tls => "check this machine's root certificates, and who answers for that host",
        _ => "check this machine's way out: firewall, routes, name servers",
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;
    use crate::{
        cli::doctor::State,
        ids::{IntegrationId, TenantId},
    };

    fn troubled(state: &str, breaker: &str) -> Trouble {
        Trouble {
            tenant_id: TenantId::HOUSE,
            id: IntegrationId::new(),
            provider: "calcom".into(),
            state: state.into(),
            breaker: breaker.into(),
            reason: Some("HTTP_503".into()),
        }
    }

    fn knocked(answer: Result<(u16, Duration), EgressError>) -> Finding {
        reached(&Knocked { provider: "asana".into(), host: "app.asana.com".into(), integrations: 2, answer })
    }

    #[test]
    fn what_is_wrong_with_an_integration_is_told_with_its_reason() {
        let says = |state, breaker| trouble(&troubled(state, breaker)).says;

        assert!(says("needs_reconnect", "open").ends_with("is to be connected again (HTTP_503)"));
        assert!(says("connected", "open").ends_with("the breaker is open (HTTP_503)"));
        assert!(says("connected", "half_open").contains("is being tried again"));
    }

    #[test]
    fn of_very_many_troubles_the_first_are_told_and_that_there_are_more() {
        let many = vec![troubled("connected", "open"); AT_MOST + 1];

        assert_eq!(told(&many[..AT_MOST]).len(), AT_MOST);
        assert_eq!(told(&many).last().map(|last| last.says.clone()).unwrap(), "more than 50 are not well");
    }

    #[test]
    fn a_provider_that_refuses_us_is_reached_and_one_that_is_ill_warns() {
        let ms = Duration::from_millis(7);

        assert_eq!(knocked(Ok((401, ms))).state, State::Ok);
        assert_eq!(knocked(Ok((503, ms))).state, State::Warning);
        let unreached = knocked(Err(EgressError::AddressRefused));
        assert_eq!(unreached.state, State::Failed);
        assert!(unreached.advice.is_some_and(|advice| advice.contains("STELLWERK_EGRESS_ALLOW")));
    }
}
