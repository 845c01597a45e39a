//! BambooHR. Each company has a host of its own.

use super::row::*;

pub(super) static BAMBOOHR: Provider = Provider {
    id: "bamboohr",
    name: "BambooHR",
    category: Category::HumanResources,
    connect: Connect::OAuth(OAuth {
        authorize_url: "https://{subdomain}.bamboohr.com/authorize.php",
        token_url: "https://{subdomain}.bamboohr.com/token.php?request=token",
        revoke: None,
        pkce: Pkce::Unsupported,
        token_auth: TokenAuth::Body,
        token_format: BodyFormat::Form,
        token_headers: &[("accept", "application/json")],
        token_params: &[],
        failure: Failure::Status,
        scope_separator: ' ',
        granted_separator: ' ',
        default_scopes: &[
            "openid",
            "offline_access",
            "employee_directory",
            "employee",
            "time_off",
            "webhooks",
            "company:info",
        ],
        authorize_params: &[("request", "authorize")],
        placeholders: &[Placeholder { name: "subdomain", shape: Shape::Label, default: None }],
        refresh: Refresh {
            rotation: Rotation::Unsettled,
            access_lifetime_s: Some(3_600),
            idle_lifetime_s: None,
            sends_redirect_uri: false,
            needs_scope: Some("offline_access"),
        },
        account: Account::Placeholder("subdomain"),
        client: Client::Ours,
    }),
    api: Some(Api {
        base_url: "https://{subdomain}.bamboohr.com/api/v1",
        paging: Paging::Cursor {
            items: "/data",
            next: "/meta/page/nextCursor",
            param: "page[after]",
            size_param: "page[limit]",
            max_size: 2_500,
        },
        // None is published.
        limits: &[],
        throttle: Throttle {
            statuses: &[429, 503],
            wait: Wait::RetryAfter { otherwise_s: 60 },
            ambiguous: Ambiguous::Nothing,
        },
    }),
    webhook: Some(Webhook {
        setup: Setup::Api,
        address: Address::PerSubscription,
        verifications: &[Verification {
            scheme: SignatureScheme::Bamboohr,
            proof: Proof::Secret(Scheme::Hmac(Hmac {
                hash: Hash::Sha256,
                header: "x-bamboohr-signature",
                prefix: Prefix::Nothing,
                encoding: Encoding::LowerHex,
                signed: &[Part::Body, Part::Timestamp],
                time: Some(SignedTime { header: "x-bamboohr-timestamp", format: TimeFormat::Either }),
                companions: &[],
            })),
            secret: Secret::Theirs,
            client_secret: None,
        }],
        handshake: Handshake::Nothing,
        event_type: EventType::Json(&["/type", "/employees/0/action"]),
        dedupe: Dedupe::BodyAt("x-bamboohr-timestamp"),
        routing: Routing::Endpoint,
        lifetime: Lifetime::Endless,
        acknowledgement: Acknowledgement::Told,
    }),
    adapter: Adapter::None,
};
