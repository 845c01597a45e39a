//! Whether promised work gets done: a finding for each kind of message, with the lane that waits longest.

use std::{collections::BTreeSet, time::Duration};

use super::{Finding, unanswered};
use crate::{
    domain::Domain,
    store::{
        diagnosis::{self, Standing},
        outbox::{self, Depth},
    },
};

/// The longest pause between two attempts is 10 min: a message older than this is not merely unlucky.
const STUCK_AFTER: Duration = Duration::from_secs(15 * 60);
/// Tenants times kinds that are looked at, what has waited longest first.
const AT_MOST: i32 = 10_000;

pub(super) async fn examine(domain: &Domain) -> Vec<Finding> {
    let (depths, standings) =
        tokio::join!(outbox::depth(&domain.store), diagnosis::outbox(&domain.store, AT_MOST));
    match (depths, standings) {
        (Ok(depths), Ok(standings)) => kinds(&depths, &standings),
        (Err(error), _) | (_, Err(error)) => vec![unanswered("outbox", &error)],
    }
}

fn kinds(depths: &[Depth], standings: &[Standing]) -> Vec<Finding> {
    let kinds: BTreeSet<&str> = depths.iter().map(|depth| depth.kind.as_str()).collect();
    if kinds.is_empty() {
        return vec![Finding::ok("outbox", "nothing waits, nothing was given up")];
    }
    kinds.into_iter().map(|kind| of_kind(kind, depths, standings)).collect()
}

fn of_kind(kind: &str, depths: &[Depth], standings: &[Standing]) -> Finding {
    let count = |state: &str| {
        let of = depths.iter().filter(|depth| depth.kind == kind && depth.state == state);
        of.map(|depth| depth.messages).sum::<i64>()
    };
    let dead = count("dead");
    let oldest = |is_held: bool| {
        standings.iter().find(|row| row.kind == kind && row.is_held == is_held && row.oldest_age_s.is_some())
    };
    let is_stuck = |row: &&Standing| row.oldest_age_s > Some(STUCK_AFTER.as_secs_f64());
    let stuck = oldest(false).filter(is_stuck);
    let held = oldest(true).filter(is_stuck);
    let shown = stuck.or(held).or(oldest(false)).or(oldest(true));
    let says = format!(
        "{kind}: {} waiting{}; {dead} dead",
        count("pending"),
        shown.map(longest).unwrap_or_default()
    );
    if stuck.is_some() {
        let advice = "look that a server without --no-worker runs, and at its log; \
            `stellwerk outbox status` says how the last attempts ended";
        Finding::failed("outbox", says, advice)
    } else if held.is_some() {
        let advice =
            "its integration is paused, out, or to be connected again; what waits goes on after that";
        Finding::warning("outbox", says, advice)
    } else if dead > 0 {
        let advice = "`stellwerk outbox dead` says why; `stellwerk outbox requeue` tries again";
        Finding::warning("outbox", says, advice)
    } else {
        Finding::ok("outbox", says)
    }
}

fn longest(row: &Standing) -> String {
    let (age_s, lane) = (row.oldest_age_s.unwrap_or_default(), row.lane.as_deref().unwrap_or_default());
    let reason = row.reason.as_ref().map(|reason| format!(", {reason}")).unwrap_or_default();
    format!(", the longest for {age_s:.0} s{reason}, in lane {lane} of tenant {}", row.tenant_id)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{cli::doctor::State, ids::TenantId};

    fn depth(kind: &str, state: &str, messages: i64) -> Depth {
        Depth { kind: kind.into(), state: state.into(), messages, oldest_age_s: 0.0 }
    }

    fn waiting(kind: &str, lane: &str, age_s: f64) -> Standing {
        Standing {
            tenant_id: TenantId::HOUSE,
            kind: kind.into(),
            is_held: false,
            waiting: 1,
            dead: 0,
            oldest_age_s: Some(age_s),
            lane: Some(lane.into()),
            attempts: Some(0),
            reason: None,
        }
    }

    fn held(kind: &str, lane: &str, age_s: f64) -> Standing {
        Standing { is_held: true, ..waiting(kind, lane, age_s) }
    }

    fn states(depths: &[Depth], standings: &[Standing]) -> Vec<State> {
        kinds(depths, standings).into_iter().map(|finding| finding.state).collect()
    }

    #[test]
    fn an_empty_queue_is_in_order() {
        assert_eq!(states(&[], &[]), [State::Ok]);
    }

    #[test]
    fn dead_messages_warn_and_an_old_one_that_waits_fails() {
        let pending = [depth("sync_run", "pending", 3)];
        let both = [depth("sync_run", "pending", 3), depth("sync_run", "dead", 1)];

        assert_eq!(states(&pending, &[waiting("sync_run", "a", 60.0)]), [State::Ok]);
        assert_eq!(states(&both, &[waiting("sync_run", "a", 60.0)]), [State::Warning]);
        assert_eq!(states(&both, &[waiting("sync_run", "a", 901.0)]), [State::Failed]);
    }

    #[test]
    fn each_kind_has_its_finding_and_names_the_lane_that_waits_longest() {
        let depths = [depth("sync_run", "pending", 2), depth("reconcile", "pending", 1)];
        let standings = [
            waiting("sync_run", "old", 2000.0),
            waiting("sync_run", "young", 5.0),
            waiting("reconcile", "r", 1.0),
        ];

        let findings = kinds(&depths, &standings);

        let says: Vec<&str> = findings.iter().map(|finding| finding.says.as_str()).collect();
        assert_eq!(states(&depths, &standings), [State::Ok, State::Failed]);
        assert!(says[0].starts_with("reconcile: 1 waiting, the longest for 1 s, in lane r of"), "{says:?}");
        assert!(
            says[1].starts_with("sync_run: 2 waiting, the longest for 2000 s, in lane old of"),
            "{says:?}"
        );
    }

    #[test]
    fn what_waits_for_an_integration_warns_and_hides_nothing_that_is_stuck() {
        let depths = [depth("phase_push", "pending", 2)];

        let alone = kinds(&depths, &[held("phase_push", "paused", 9000.0)]);
        let beside =
            kinds(&depths, &[held("phase_push", "paused", 9000.0), waiting("phase_push", "x", 901.0)]);

        assert_eq!((alone[0].state, beside[0].state), (State::Warning, State::Failed));
        assert!(beside[0].says.contains("in lane x of"), "{}", beside[0].says);
    }
}
