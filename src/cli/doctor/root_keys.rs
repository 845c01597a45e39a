//! Whether everything sealed can be opened, and which root keys may go.

use super::{Finding, told, unanswered};
use crate::{
    domain::{Domain, root_key},
    error::Result,
    ids::TenantId,
    store::{
        self,
        root_key::{Instance, RootKeyUse},
    },
};

/// What the database and the running instances say.
struct Facts {
    /// The ids of what this command was given.
    at_hand: Vec<String>,
    used: Vec<RootKeyUse>,
    active: Option<String>,
    instances: Vec<Instance>,
}

pub(super) async fn examine(domain: &Domain) -> Vec<Finding> {
    let facts = match facts(domain).await {
        Ok(facts) => facts,
        Err(error) => return vec![unanswered("root keys", &error)],
    };
    let is_complete = facts.missing().is_empty();
    let mut findings = vec![facts.at_hand_or_not()];
    if is_complete {
        findings.push(facts.sealing());
        let opened = root_key::prove(domain).await;
        let is_open = opened.as_ref().is_ok_and(|(_, closed)| closed.is_empty());
        findings.push(told("sealed", opened, |(count, closed)| sealed(count, &closed)));
        findings.extend(facts.idle().filter(|_| is_open));
    }
    findings
}

async fn facts(domain: &Domain) -> Result<Facts> {
    Ok(Facts {
        at_hand: domain.vault.root_key_ids().map(str::to_owned).collect(),
        used: store::root_key::used(&domain.store).await?,
        active: store::root_key::active(&domain.store).await?,
        instances: store::root_key::instances(&domain.store).await?,
    })
}

impl Facts {
    fn missing(&self) -> Vec<String> {
        let used = self.used.iter().filter(|key| !self.at_hand.contains(&key.root_key_id));
        used.map(|key| format!("{} ({} tenants)", key.root_key_id, key.tenants)).collect()
    }

    fn at_hand_or_not(&self) -> Finding {
        let missing = self.missing();
        if missing.is_empty() {
            return Finding::ok(
                "root keys",
                format!("{} at hand, {} in use", self.at_hand.len(), self.used.len()),
            );
        }
        Finding::failed(
            "root keys",
            format!("not at hand: {}", missing.join(", ")),
            "add them to STELLWERK_ROOT_KEYS; what these tenants keep sealed cannot be read before",
        )
    }

    /// Whether the running instances agree on the key that seals, and whether a rotation was left half done.
    fn sealing(&self) -> Finding {
        let Some(active) = &self.active else {
            return Finding::ok("sealing", "no instance has run yet; the first one's first key will seal");
        };
        let without = self.instances.iter().filter(|one| !one.root_key_ids.contains(active)).count();
        let others: i64 =
            self.used.iter().filter(|key| key.root_key_id != *active).map(|key| key.tenants).sum();
        let instances = self.instances.len();
        if without > 0 {
            let says =
                format!("{without} of {instances} running instances do not hold {active}, which seals");
            Finding::failed("sealing", says, "give it to them in STELLWERK_ROOT_KEYS and restart them")
        } else if !self.at_hand.contains(active) {
            let advice = "give it in STELLWERK_ROOT_KEYS; a server refuses to start without it";
            Finding::failed("sealing", format!("{active} seals and is not at hand"), advice)
        } else if others > 0 {
            let says = format!("{active} seals, but {others} tenants' keys are wrapped by others");
            Finding::warning("sealing", says, "run `stellwerk root-key rotate`; it goes on where it was")
        } else {
            Finding::ok("sealing", format!("{active}, held by all of {instances} running instances"))
        }
    }

    /// Root keys at hand that nothing hangs on any more.
    fn idle(&self) -> Option<Finding> {
        let active = self.active.as_ref()?;
        let is_behind = self.instances.iter().any(|one| one.sealing_root_key_id != *active);
        let is_used = |id: &String| self.used.iter().any(|key| key.root_key_id == *id);
        let idle: Vec<&str> = self
            .at_hand
            .iter()
            .filter(|id| *id != active && !is_used(id) && !is_behind)
            .map(String::as_str)
            .collect();
        if idle.is_empty() {
            return None;
        }
        let says = format!("{} opens nothing that is kept, and may be removed", idle.join(", "));
        Some(Finding::ok("idle keys", says))
    }
}

fn sealed(count: u64, closed: &[TenantId]) -> Finding {
    if closed.is_empty() {
        return Finding::ok("sealed", format!("the keys of all {count} tenants open"));
    }
    let tenants: Vec<String> = closed.iter().take(5).map(ToString::to_string).collect();
    Finding::failed(
        "sealed",
        format!("{} of {count} tenants' keys do not open: {}", closed.len(), tenants.join(", ")),
        "a root key's id was given to other bytes: look for the ones that belong to it",
    )
}

#[cfg(test)]
mod tests {
    use uuid::Uuid;

    use super::*;
    use crate::cli::doctor::State;

    fn facts(at_hand: &[&str], used: &[(&str, i64)], active: &str, held: &[&[&str]]) -> Facts {
        let texts = |ids: &[&str]| ids.iter().map(ToString::to_string).collect();
        let used =
            used.iter().map(|(id, tenants)| RootKeyUse { root_key_id: (*id).into(), tenants: *tenants });
        let instance = |ids: &&[&str]| Instance {
            id: Uuid::now_v7(),
            root_key_ids: texts(ids),
            sealing_root_key_id: active.into(),
        };
        Facts {
            at_hand: texts(at_hand),
            used: used.collect(),
            active: Some(active.into()),
            instances: held.iter().map(instance).collect(),
        }
    }

    #[test]
    fn a_root_key_in_use_but_not_at_hand_is_named() {
        let used = [("r1", 2), ("r2", 7)];

        assert_eq!(facts(&["r2", "r1"], &used, "r2", &[]).at_hand_or_not().state, State::Ok);
        let finding = facts(&["r1"], &used, "r1", &[]).at_hand_or_not();
        assert_eq!((finding.state, finding.says.as_str()), (State::Failed, "not at hand: r2 (7 tenants)"));
    }

    #[test]
    fn an_instance_without_the_sealing_key_fails_and_a_rotation_left_half_done_warns() {
        let both: &[&str] = &["r1", "r2"];
        let state = |facts: Facts| facts.sealing().state;

        assert_eq!(state(facts(both, &[("r2", 2)], "r2", &[both, both])), State::Ok);
        assert_eq!(state(facts(both, &[("r2", 2)], "r2", &[both, &["r1"]])), State::Failed);
        assert_eq!(state(facts(&["r1"], &[("r1", 2)], "r2", &[both])), State::Failed);
        assert_eq!(state(facts(both, &[("r1", 1), ("r2", 2)], "r2", &[both])), State::Warning);
    }

    #[test]
    fn a_root_key_may_go_when_nothing_and_nobody_needs_it() {
        let both: &[&str] = &["r2", "r1"];
        let idle = |facts: Facts| facts.idle().map(|finding| finding.says);

        assert_eq!(
            idle(facts(both, &[("r2", 2)], "r2", &[both])).as_deref(),
            Some("r1 opens nothing that is kept, and may be removed")
        );
        assert_eq!(idle(facts(both, &[("r2", 2), ("r1", 1)], "r2", &[both])), None);
        let mut behind = facts(both, &[("r2", 2)], "r2", &[both]);
        behind.instances[0].sealing_root_key_id = "r1".into();
        assert_eq!(idle(behind), None);
    }
}
