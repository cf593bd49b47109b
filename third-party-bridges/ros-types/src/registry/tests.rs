use super::*;

fn name(text: &str) -> TypeName {
    text.parse().unwrap()
}

fn message(registry: &mut Registry, of: &str, text: &str) {
    registry.add_message(MessageDefinition::parse(name(of), text).unwrap()).unwrap();
}

#[test]
fn constants_come_first_in_what_the_checksum_is_made_of() {
    let mut registry = Registry::default();
    message(&mut registry, "pkg/Bumper", "uint8 right=0\nuint8 bumper # x\nuint8 left=1\n");
    let definition = registry.message(&name("pkg/Bumper")).unwrap();
    assert_eq!(registry.md5_text(definition, 0).unwrap(), "uint8 right=0\nuint8 left=1\nuint8 bumper");
    assert_eq!(registry.message_md5(&name("pkg/Bumper")).unwrap(), "48b1317facd952596d66614eabfc8686");
}

#[test]
fn the_checksum_of_a_service_is_of_both_parts() {
    let mut registry = Registry::standard();
    let text = "string service\nstring member\nstring args_json\n---\nbool ok\nstring result_json\nstring error\n";
    registry.add_service(ServiceDefinition::parse(name("qi_bridge_msgs/Call"), text).unwrap()).unwrap();
    assert_eq!(registry.service_md5(&name("qi_bridge_msgs/Call")).unwrap(), "5fa2b0b6c9f2abbb00448efeae1667a1");
    message(&mut registry, "pkg/Event", "Header header\nstring service\nstring member\nstring value_json\n");
    assert_eq!(registry.message_md5(&name("pkg/Event")).unwrap(), "160cc47dcee2cac1aa458291d4fb573b");
}

#[test]
fn what_a_publisher_sends_is_read_as_what_was_written() {
    let registry = Registry::standard();
    for definition in registry.messages() {
        let text = registry.definition_text(&definition.name).unwrap();
        for text in [text.trim_end(), &format!("{text}\n")] {
            let read = Registry::of_publisher(&definition.name, text).unwrap();
            assert_eq!(read.message_md5(&definition.name), registry.message_md5(&definition.name), "{text}");
        }
    }
}

#[test]
fn used_types_follow_once_in_the_order_of_first_use() {
    let text = Registry::standard().definition_text(&name("geometry_msgs/PoseStamped")).unwrap();
    let used: Vec<&str> = text.lines().filter_map(|line| line.strip_prefix("MSG: ")).collect();
    assert_eq!(used, ["std_msgs/Header", "geometry_msgs/Pose", "geometry_msgs/Point", "geometry_msgs/Quaternion"]);
}

#[test]
fn a_message_that_holds_itself_is_refused() {
    let mut registry = Registry::default();
    message(&mut registry, "pkg/Loop", "pkg/Other other");
    message(&mut registry, "pkg/Other", "pkg/Loop[] loops");
    assert!(matches!(registry.message_md5(&name("pkg/Loop")), Err(RegistryError::TooDeep(_))));
    message(&mut registry, "pkg/Missing", "pkg/Nowhere x");
    assert_eq!(registry.message_md5(&name("pkg/Missing")), Err(RegistryError::Unknown(name("pkg/Nowhere"))));
}

#[test]
fn one_name_has_one_definition() {
    let mut registry = Registry::default();
    message(&mut registry, "pkg/A", "int8 a");
    message(&mut registry, "pkg/A", "int8 a");
    let other = MessageDefinition::parse(name("pkg/A"), "int8 b").unwrap();
    assert_eq!(registry.add_message(other), Err(RegistryError::Conflict(name("pkg/A"))));
}
