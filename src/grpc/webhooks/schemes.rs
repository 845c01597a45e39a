//! Between the words for signatures and their wire types.

use crate::{proto, words::SignatureScheme};

/// The scheme that a caller chose, if one.
pub(super) fn chosen(scheme: proto::SignatureScheme) -> Option<SignatureScheme> {
    match scheme {
        proto::SignatureScheme::Unspecified => None,
        proto::SignatureScheme::Legacy => Some(SignatureScheme::Legacy),
        proto::SignatureScheme::Standard => Some(SignatureScheme::Standard),
        proto::SignatureScheme::Calcom => Some(SignatureScheme::Calcom),
        proto::SignatureScheme::Asana => Some(SignatureScheme::Asana),
        proto::SignatureScheme::Bamboohr => Some(SignatureScheme::Bamboohr),
        proto::SignatureScheme::Dropbox => Some(SignatureScheme::Dropbox),
        proto::SignatureScheme::Github => Some(SignatureScheme::Github),
        proto::SignatureScheme::GitlabToken => Some(SignatureScheme::GitlabToken),
        proto::SignatureScheme::GoogleChannel => Some(SignatureScheme::GoogleChannel),
        proto::SignatureScheme::GooglePush => Some(SignatureScheme::GooglePush),
        proto::SignatureScheme::Jira => Some(SignatureScheme::Jira),
        proto::SignatureScheme::JiraClient => Some(SignatureScheme::JiraClient),
        proto::SignatureScheme::Microsoft365 => Some(SignatureScheme::Microsoft365),
        proto::SignatureScheme::Microsoft365Data => Some(SignatureScheme::Microsoft365Data),
        proto::SignatureScheme::Notion => Some(SignatureScheme::Notion),
        proto::SignatureScheme::Slack => Some(SignatureScheme::Slack),
        proto::SignatureScheme::Trello => Some(SignatureScheme::Trello),
        proto::SignatureScheme::Zendesk => Some(SignatureScheme::Zendesk),
    }
}

/// A scheme as it is told.
pub(in crate::grpc) fn told(scheme: SignatureScheme) -> proto::SignatureScheme {
    match scheme {
        SignatureScheme::Legacy => proto::SignatureScheme::Legacy,
        SignatureScheme::Standard => proto::SignatureScheme::Standard,
        SignatureScheme::Calcom => proto::SignatureScheme::Calcom,
        SignatureScheme::Asana => proto::SignatureScheme::Asana,
        SignatureScheme::Bamboohr => proto::SignatureScheme::Bamboohr,
        SignatureScheme::Dropbox => proto::SignatureScheme::Dropbox,
        SignatureScheme::Github => proto::SignatureScheme::Github,
        SignatureScheme::GitlabToken => proto::SignatureScheme::GitlabToken,
        SignatureScheme::GoogleChannel => proto::SignatureScheme::GoogleChannel,
        SignatureScheme::GooglePush => proto::SignatureScheme::GooglePush,
        SignatureScheme::Jira => proto::SignatureScheme::Jira,
        SignatureScheme::JiraClient => proto::SignatureScheme::JiraClient,
        SignatureScheme::Microsoft365 => proto::SignatureScheme::Microsoft365,
        SignatureScheme::Microsoft365Data => proto::SignatureScheme::Microsoft365Data,
        SignatureScheme::Notion => proto::SignatureScheme::Notion,
        SignatureScheme::Slack => proto::SignatureScheme::Slack,
        SignatureScheme::Trello => proto::SignatureScheme::Trello,
        SignatureScheme::Zendesk => proto::SignatureScheme::Zendesk,
    }
}
