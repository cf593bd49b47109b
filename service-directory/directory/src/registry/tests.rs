//! The semantics of spec 7, one by one.

use super::*;

const A: Owner = Owner(1);
const B: Owner = Owner(2);

fn registry() -> Registry {
    Registry::new(DirectoryConfig { machine_id: "machine".into(), ..DirectoryConfig::default() })
}

fn info(name: &str, endpoints: &[&str]) -> ServiceInfo {
    ServiceInfo {
        name: name.into(),
        endpoints: endpoints.iter().map(|endpoint| (*endpoint).to_owned()).collect(),
        session_id: "session".into(),
        ..ServiceInfo::default()
    }
}

fn add(registry: &mut Registry, owner: Owner, name: &str, endpoints: &[&str]) -> ServiceId {
    let id = registry.register(owner, info(name, endpoints)).unwrap();
    registry.ready(owner, id).unwrap();
    id
}

fn endpoints(registry: &Registry, name: &str) -> Vec<String> {
    registry.service(&name.into(), true).unwrap().endpoints
}

#[test]
fn ids_go_up_from_two_and_are_never_used_again() {
    let mut registry = registry();
    let first = add(&mut registry, A, "One", &[]);
    assert_eq!(first, ServiceId(2));
    registry.unregister(A, first).unwrap();
    assert_eq!(
        registry.register(A, ServiceInfo { service_id: ServiceId(99), ..info("One", &[]) }).unwrap(),
        ServiceId(3)
    );
}

#[test]
fn a_pending_service_is_hidden_but_its_name_is_taken() {
    let mut registry = registry();
    let id = registry.register(A, info("Two", &[])).unwrap();
    let error = registry.service(&"Two".into(), true).unwrap_err();
    assert_eq!(error.to_string(), "Cannot find ServiceInfo for service 'Two'");
    assert_eq!(registry.services(true).len(), 1);
    let error = registry.register(B, info("Two", &[])).unwrap_err();
    let text = "Service \"Two\" (#2) is already registered. Rejecting conflicting registration attempt.";
    assert_eq!(error.to_string(), text);
    assert_eq!(registry.ready(A, id).unwrap(), Change::Added { id, name: "Two".into() });
    assert_eq!(registry.ready(A, id).unwrap_err().to_string(), "Can't find pending service #2");
    assert!(registry.service(&"Two".into(), true).is_ok());
}

#[test]
fn unknown_services_are_named_in_the_error() {
    let mut registry = registry();
    let id = ServiceId(77);
    assert_eq!(registry.service(&"X".into(), true).unwrap_err().to_string(), "Cannot find service 'X' in index");
    assert_eq!(registry.unregister(A, id).unwrap_err().to_string(), "Unregister Service: Can't find service #77");
    let update = ServiceInfo { service_id: id, ..info("X", &[]) };
    assert_eq!(registry.update(A, update).unwrap_err().to_string(), "updateServiceInfo: Can't find service #77");
}

#[test]
fn only_the_owner_changes_a_service_unless_permissive() {
    let mut registry = registry();
    let id = add(&mut registry, A, "Mine", &["tcp://127.0.0.1:1"]);
    let refused = "Permission denied: service #2 is owned by another session";
    assert_eq!(registry.unregister(B, id).unwrap_err().to_string(), refused);
    let stolen = ServiceInfo { service_id: id, ..info("Mine", &["tcp://127.0.0.1:2"]) };
    assert_eq!(registry.update(B, stolen.clone()).unwrap_err().to_string(), refused);
    let pending = registry.register(A, info("Pending", &[])).unwrap();
    assert!(matches!(registry.ready(B, pending), Err(DirectoryError::NotOwner(_))));
    assert!(matches!(registry.unregister(A, ServiceId::DIRECTORY), Err(DirectoryError::NotOwner(_))));

    registry.config.permissive = true;
    registry.update(B, stolen).unwrap();
    registry.unregister(B, id).unwrap();
    assert!(matches!(registry.unregister(A, ServiceId::DIRECTORY), Err(DirectoryError::NotOwner(_))));
}

#[test]
fn h6_an_update_cannot_rename_a_service() {
    let mut registry = registry();
    let id = add(&mut registry, A, "Old", &["tcp://127.0.0.1:1"]);
    registry.update(A, ServiceInfo { service_id: id, ..info("New", &["tcp://127.0.0.1:2"]) }).unwrap();
    assert_eq!(registry.service(&"Old".into(), false).unwrap().endpoints, ["tcp://127.0.0.1:2"]);
    assert!(registry.service(&"New".into(), false).is_err());
    registry.disconnect(A);
    assert_eq!(registry.services(true).len(), 1);
}

#[test]
fn an_update_reaches_all_ready_services_of_the_session() {
    let mut registry = registry();
    let id = add(&mut registry, A, "One", &["tcp://127.0.0.1:1"]);
    add(&mut registry, A, "Two", &["tcp://127.0.0.1:1"]);
    add(&mut registry, B, "Other", &["tcp://127.0.0.1:1"]);
    registry.update(A, ServiceInfo { service_id: id, ..info("One", &["tcp://127.0.0.1:3"]) }).unwrap();
    assert_eq!(registry.service(&"Two".into(), false).unwrap().endpoints, ["tcp://127.0.0.1:3"]);
    assert_eq!(registry.service(&"Other".into(), false).unwrap().endpoints, ["tcp://127.0.0.1:1"]);
}

#[test]
fn a_disconnection_removes_ready_and_pending_services_in_order() {
    let mut registry = registry();
    let one = add(&mut registry, A, "One", &[]);
    let two = registry.register(A, info("Two", &[])).unwrap();
    add(&mut registry, B, "Stays", &[]);
    let removed = registry.disconnect(A);
    let gone = |id, name: &str| Change::Removed { id, name: name.into() };
    assert_eq!(removed, [gone(one, "One"), gone(two, "Two")]);
    assert!(registry.register(B, info("Two", &[])).is_ok());
    assert!(registry.disconnect(A).is_empty());
}

#[test]
fn endpoints_are_absolute_sorted_and_each_once() {
    let mut registry = registry();
    let given = [
        "tcp://10.0.0.1:5",
        "qi:ServiceDirectory",
        "tcps://127.0.0.1:6",
        "tcp://10.0.0.1:5",
        "tcp://localhost:7",
        "tcp://127.0.0.1:5",
    ];
    add(&mut registry, A, "Ord", &given);
    let wanted = ["qi:Ord", "tcp://127.0.0.1:5", "tcp://localhost:7", "tcps://127.0.0.1:6", "tcp://10.0.0.1:5"];
    assert_eq!(endpoints(&registry, "Ord"), wanted);
    assert_eq!(registry.service(&"Ord".into(), false).unwrap().endpoints, wanted[1..]);
    let error = registry.register(A, info("Bad", &["not a uri"])).unwrap_err();
    assert!(error.to_string().starts_with("Call argument number 1 conversion failure"), "{error}");
}

/// QI-023: equal sets give both names, a superset the subset's, anything else none.
#[test]
fn a_relative_endpoint_is_given_for_every_included_set() {
    let all = ["tcp://127.0.0.1:1", "tcp://10.0.0.1:2", "tcps://10.0.0.1:3"];
    let set = |bits: usize| (0..3).filter(|bit| bits >> bit & 1 == 1).map(|bit| all[bit]).collect::<Vec<_>>();
    for first in 0..8 {
        for second in 0..8 {
            let mut registry = registry();
            add(&mut registry, A, "First", &set(first));
            add(&mut registry, B, "Second", &set(second));
            let shown = endpoints(&registry, "First").contains(&"qi:Second".to_owned());
            // H7: an empty set is part of every set, and leads nowhere.
            let included = second != 0 && second & !first == 0;
            assert_eq!(shown, included, "{first:03b} {second:03b}");
            assert!(registry.service(&"First".into(), false).unwrap().endpoints.iter().all(|e| !e.starts_with("qi:")));
        }
    }
}

#[test]
fn h1_a_name_that_is_no_uri_segment_has_no_relative_endpoint_and_breaks_nothing() {
    let mut registry = registry();
    for name in ["with space", "ünïcode", "a/b", "", "%zz", "q?x", "h#x"] {
        add(&mut registry, A, name, &["tcp://127.0.0.1:1"]);
        assert!(!endpoints(&registry, name).contains(&format!("qi:{name}")), "{name:?}");
    }
    assert_eq!(registry.services(true).len(), 8);
    assert!(registry.register(A, info(&"x".repeat(255), &[])).is_ok());
    assert!(matches!(registry.register(A, info(&"x".repeat(256), &[])), Err(DirectoryError::InvalidName(256))));
}

#[test]
fn one_connection_cannot_register_without_end() {
    let mut registry = Registry::new(DirectoryConfig { max_services: 2, ..DirectoryConfig::default() });
    add(&mut registry, A, "1", &[]);
    let second = add(&mut registry, A, "2", &[]);
    assert!(matches!(registry.register(A, info("3", &[])), Err(DirectoryError::TooMany { .. })));
    assert!(registry.register(B, info("3", &[])).is_ok());
    registry.unregister(A, second).unwrap();
    assert!(registry.register(A, info("4", &[])).is_ok());
}

#[test]
fn services_that_are_passed_on_follow_the_directory_to_new_addresses() {
    let mut registry = registry();
    registry.set_endpoints(&["tcp://10.0.0.1:9559".to_owned()]).unwrap();
    let relayed = registry.register(A, info("Relayed", &[])).unwrap();
    registry.relay(relayed);
    registry.ready(A, relayed).unwrap();
    add(&mut registry, B, "Own", &["tcp://10.0.0.1:9559"]);
    registry.set_endpoints(&["tcp://10.0.0.2:9559".to_owned()]).unwrap();
    assert!(endpoints(&registry, "Relayed").contains(&"tcp://10.0.0.2:9559".to_owned()));
    assert!(endpoints(&registry, "Own").contains(&"tcp://10.0.0.1:9559".to_owned()));
}
