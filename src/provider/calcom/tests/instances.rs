use super::*;

fn parsed(text: &str) -> Result<String, InstanceError> {
    let allow_private = vec!["calcom.internal".parse().unwrap()];
    let egress = Egress::new(EgressConfig { allow_private, ..EgressConfig::default() }).unwrap();
    parse_instance(text, &egress).map(String::from)
}

#[test]
fn the_hosted_instance_is_in_normal_form() {
    assert_eq!(parsed(DEFAULT_INSTANCE).as_deref(), Ok(DEFAULT_INSTANCE));
}

#[test]
fn every_spelling_of_an_instance_leads_to_one() {
    for text in
        ["https://cal.example.org/v2", "https://Cal.Example.org:443/v2/", " https://cal.example.org/v2// "]
    {
        assert_eq!(parsed(text).as_deref(), Ok("https://cal.example.org/v2"), "{text}");
    }
    assert_eq!(parsed("https://cal.example.org").as_deref(), Ok("https://cal.example.org/"));
    assert_eq!(parsed("https://cal.example.org/api/v2/").as_deref(), Ok("https://cal.example.org/api/v2"));
}

#[test]
fn what_is_no_instance_is_refused() {
    for text in ["", "cal.example.org/v2", "https://cal.example.org./v2", "https://cal.example.org//v2"] {
        assert_eq!(parsed(text), Err(InstanceError::NotAUrl), "{text}");
    }
    for text in
        ["https://cal.example.org/v2?key=1", "https://cal.example.org/v2#top", "https://cal.example.org/v2?"]
    {
        assert_eq!(parsed(text), Err(InstanceError::HasTail), "{text}");
    }
}

#[test]
fn an_instance_that_may_not_be_called_is_refused_at_once() {
    use crate::egress::EgressError;

    let refused = |text| parsed(text).unwrap_err();

    assert_eq!(refused("http://cal.example.org/v2"), InstanceError::Refused(EgressError::NotHttps));
    assert_eq!(refused("https://127.0.0.1/v2"), InstanceError::Refused(EgressError::AddressRefused));
    assert_eq!(refused("https://key@cal.example.org/v2"), InstanceError::Refused(EgressError::UrlRefused));
    assert_eq!(parsed("http://calcom.internal/v2").as_deref(), Ok("http://calcom.internal/v2"));
}
