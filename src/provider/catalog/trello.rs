//! Trello, by OAuth 2.0 at Atlassian's authorization server.

use super::row::*;

pub(super) static TRELLO: Provider = Provider {
    id: "trello",
    name: "Trello",
    category: Category::ProjectManagement,
    connect: Connect::OAuth(OAuth {
        authorize_url: "https://auth.atlassian.com/authorize",
        token_url: "https://auth.atlassian.com/oauth/token",
        revoke: None,
        pkce: Pkce::S256,
        token_auth: TokenAuth::Body,
        token_format: BodyFormat::Json,
        token_headers: &[],
        token_params: &[],
        failure: Failure::Status,
        scope_separator: ' ',
        granted_separator: ' ',
        default_scopes: &["read:board:trello", "write:board:trello", "read:member:trello", "offline_access"],
        authorize_params: &[("prompt", "consent")],
        placeholders: &[],
        refresh: Refresh {
            rotation: Rotation::Replaced,
            access_lifetime_s: Some(3_600),
            idle_lifetime_s: None,
            sends_redirect_uri: false,
            needs_scope: Some("offline_access"),
        },
        account: Account::Call(AccountCall {
            url: "https://api.trello.com/1/members/me",
            is_list: false,
            id: "/id",
            name: "/username",
        }),
        client: Client::Ours,
    }),
    api: Some(Api {
        base_url: "https://api.trello.com/1",
        paging: Paging::Before { param: "before", size_param: "limit", max_size: 1_000 },
        limits: &[
            Limit { requests: 100, seconds: 10, per: LimitScope::Token },
            Limit { requests: 300, seconds: 10, per: LimitScope::Client },
        ],
        // No header tells when the window of ten seconds ends.
        throttle: Throttle {
            statuses: &[429],
            wait: Wait::Fixed { seconds: 10 },
            ambiguous: Ambiguous::Nothing,
        },
    }),
    webhook: Some(Webhook {
        setup: Setup::Api,
        address: Address::PerSubscription,
        verifications: &[Verification {
            scheme: SignatureScheme::Trello,
            proof: Proof::Secret(Scheme::Hmac(Hmac {
                hash: Hash::Sha1,
                header: "x-trello-webhook",
                prefix: Prefix::Nothing,
                encoding: Encoding::Base64,
                signed: &[Part::Body, Part::Address],
                time: None,
                companions: &[],
            })),
            secret: Secret::Theirs,
            client_secret: Some(ClientSecret::OAuth),
        }],
        handshake: Handshake::Head,
        event_type: EventType::Json(&["/action/type"]),
        dedupe: Dedupe::Json(&["/action/id"]),
        routing: Routing::Endpoint,
        lifetime: Lifetime::Endless,
        acknowledgement: Acknowledgement::Told,
    }),
    adapter: Adapter::None,
};
