//! Between the words of planning and their wire types.

use crate::{
    proto,
    words::{Area, ConflictReason, PhaseChangeKind, PhaseField, Presence, ProviderSync, Side},
};

/// An area that a request names; unspecified is none.
pub(in crate::grpc) fn area(area: proto::Area) -> Option<Area> {
    Some(match area {
        proto::Area::Unspecified => return None,
        proto::Area::Production => Area::Production,
        proto::Area::Assembly => Area::Assembly,
    })
}

/// A presence that a request names; unspecified is none.
pub(super) fn presence(presence: proto::Presence) -> Option<Presence> {
    Some(match presence {
        proto::Presence::Unspecified => return None,
        proto::Presence::Present => Presence::Present,
        proto::Presence::Missing => Presence::Missing,
        proto::Presence::Detached => Presence::Detached,
        proto::Presence::Gone => Presence::Gone,
    })
}

/// A standing at the planning tool that a request names; unspecified is none.
pub(super) fn provider_sync(state: proto::ProviderSyncState) -> Option<ProviderSync> {
    Some(match state {
        proto::ProviderSyncState::Unspecified => return None,
        proto::ProviderSyncState::None => ProviderSync::None,
        proto::ProviderSyncState::Pending => ProviderSync::Pending,
        proto::ProviderSyncState::Synced => ProviderSync::Synced,
        proto::ProviderSyncState::Failed => ProviderSync::Failed,
        proto::ProviderSyncState::Review => ProviderSync::Review,
    })
}

impl From<Area> for proto::Area {
    fn from(area: Area) -> Self {
        match area {
            Area::Production => Self::Production,
            Area::Assembly => Self::Assembly,
        }
    }
}

impl From<Presence> for proto::Presence {
    fn from(presence: Presence) -> Self {
        match presence {
            Presence::Present => Self::Present,
            Presence::Missing => Self::Missing,
            Presence::Detached => Self::Detached,
            Presence::Gone => Self::Gone,
        }
    }
}

impl From<PhaseChangeKind> for proto::PhaseChangeKind {
    fn from(kind: PhaseChangeKind) -> Self {
        match kind {
            PhaseChangeKind::Created => Self::Created,
            PhaseChangeKind::Fields => Self::Fields,
            PhaseChangeKind::Presence => Self::Presence,
            PhaseChangeKind::Sync => Self::Sync,
        }
    }
}

impl From<PhaseField> for proto::PhaseField {
    fn from(field: PhaseField) -> Self {
        match field {
            PhaseField::StartDate => Self::StartDate,
            PhaseField::DueDate => Self::DueDate,
            PhaseField::PlannedHours => Self::PlannedHours,
            PhaseField::Area => Self::Area,
        }
    }
}

impl From<Side> for proto::ConflictSide {
    fn from(side: Side) -> Self {
        match side {
            Side::Ours => Self::Ours,
            Side::Theirs => Self::Theirs,
        }
    }
}

impl From<ConflictReason> for proto::ConflictReason {
    fn from(reason: ConflictReason) -> Self {
        match reason {
            ConflictReason::Newer => Self::Newer,
            ConflictReason::SameTime => Self::SameTime,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_word_that_a_request_names_survives_the_wire() {
        for word in Area::ALL {
            assert_eq!(area((*word).into()), Some(*word));
        }
        for word in Presence::ALL {
            assert_eq!(presence((*word).into()), Some(*word));
        }
        for word in ProviderSync::ALL {
            assert_eq!(provider_sync((*word).into()), Some(*word));
        }
    }
}
