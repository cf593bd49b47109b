//! The package of the types that are made, as ROS builds it (spec 6.2).

use super::{Mapping, PACKAGE};
use crate::{FieldType, MessageDefinition};

/// For which ROS a package is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum RosVersion {
    /// With catkin.
    Ros1,
    /// With ament.
    Ros2,
}

impl Mapping {
    /// The files of the package by their paths within it.
    pub fn package_files(&self, version: RosVersion) -> Vec<(String, String)> {
        let used = self.used_packages();
        let mut files = self.definitions(version);
        let names = |extension: &str| -> Vec<String> {
            let suffix = format!(".{extension}");
            files.iter().map(|(path, _)| path.clone()).filter(|path| path.ends_with(&suffix)).collect()
        };
        let (messages, services) = (names("msg"), names("srv"));
        let manifest = manifest(version, &used);
        let build = match version {
            RosVersion::Ros1 => catkin(&used, &messages, &services),
            RosVersion::Ros2 => ament(&used, &messages, &services),
        };
        files.push(("package.xml".to_owned(), manifest));
        files.push(("CMakeLists.txt".to_owned(), build));
        files
    }

    /// The other packages that are needed.
    fn used_packages(&self) -> Vec<String> {
        let services = self.own_services().flat_map(|(service, _)| [&service.request, &service.response]);
        let mut used: Vec<String> = self.own_messages().chain(services).flat_map(packages_of).collect();
        used.sort_unstable();
        used.dedup();
        used
    }
}

fn packages_of(message: &MessageDefinition) -> Vec<String> {
    let packages = message.fields.iter().filter_map(|field| match &field.kind {
        FieldType::Message(name) if name.package() != PACKAGE => Some(name.package().to_owned()),
        _ => None,
    });
    packages.collect()
}

fn manifest(version: RosVersion, used: &[String]) -> String {
    let mut text = format!(
        "<?xml version=\"1.0\"?>\n<package format=\"3\">\n  <name>{PACKAGE}</name>\n  <version>0.1.0</version>\n  \
         <description>Types of the services that keyway bridge shows; generated</description>\n  \
         <maintainer email=\"keyway@example.invalid\">keyway</maintainer>\n  <license>MIT</license>\n"
    );
    let mut line = |tag: &str, content: &str| text.push_str(&format!("  <{tag}>{content}</{tag}>\n"));
    match version {
        RosVersion::Ros1 => {
            line("buildtool_depend", "catkin");
            line("build_depend", "message_generation");
            line("exec_depend", "message_runtime");
        }
        RosVersion::Ros2 => {
            line("buildtool_depend", "ament_cmake");
            line("buildtool_depend", "rosidl_default_generators");
            line("exec_depend", "rosidl_default_runtime");
        }
    }
    for package in used {
        line("depend", package);
    }
    match version {
        RosVersion::Ros1 => {}
        RosVersion::Ros2 => text.push_str(
            "  <member_of_group>rosidl_interface_packages</member_of_group>\n  \
             <export><build_type>ament_cmake</build_type></export>\n",
        ),
    }
    text + "</package>\n"
}

fn catkin(used: &[String], messages: &[String], services: &[String]) -> String {
    let stems = |paths: &[String]| -> String {
        paths.iter().map(|path| format!("  {}\n", path.rsplit('/').next().unwrap_or(path))).collect()
    };
    let used = used.join(" ");
    format!(
        "cmake_minimum_required(VERSION 3.0.2)\nproject({PACKAGE})\n\
         find_package(catkin REQUIRED COMPONENTS message_generation {used})\n\
         add_message_files(FILES\n{})\nadd_service_files(FILES\n{})\n\
         generate_messages(DEPENDENCIES {used})\ncatkin_package(CATKIN_DEPENDS message_runtime {used})\n",
        stems(messages),
        stems(services),
    )
}

fn ament(used: &[String], messages: &[String], services: &[String]) -> String {
    let find: String = used.iter().map(|package| format!("find_package({package} REQUIRED)\n")).collect();
    let files: String = messages.iter().chain(services).map(|path| format!("  \"{path}\"\n")).collect();
    let dependencies = if used.is_empty() { String::new() } else { format!("  DEPENDENCIES {}\n", used.join(" ")) };
    format!(
        "cmake_minimum_required(VERSION 3.8)\nproject({PACKAGE})\nfind_package(ament_cmake REQUIRED)\n\
         find_package(rosidl_default_generators REQUIRED)\n{find}\
         rosidl_generate_interfaces(${{PROJECT_NAME}}\n{files}{dependencies})\n\
         ament_export_dependencies(rosidl_default_runtime)\nament_package()\n"
    )
}
