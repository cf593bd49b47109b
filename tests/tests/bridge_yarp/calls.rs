//! Calls (YARP-010 to YARP-022).

use std::time::Duration;

use crate::stage::Stage;

/// Says lines to the probe's port, and compares the responses.
async fn says(stage: &Stage, expected: &[(&str, &str)]) {
    for (line, response) in expected {
        assert_eq!(stage.rpc(line).await, *response, "{line}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn yarp_010_calls_are_answered() {
    let Some(stage) = Stage::start().await else { return };
    says(&stage, &[("add 2 3", "5"), ("[add] 2 3", "5")]).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn yarp_011_words_are_joined() {
    let Some(stage) = Stage::start().await else { return };
    says(&stage, &[("get_answer", "42"), ("get answer", "42")]).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn yarp_012_nothing_is_an_empty_bottle() {
    let Some(stage) = Stage::start().await else { return };
    says(&stage, &[("nothing", "")]).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn yarp_013_errors_of_the_service_are_told() {
    let Some(stage) = Stage::start().await else { return };
    says(&stage, &[("boom \"it broke\"", "[fail] \"it broke\"")]).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn yarp_014_unknown_methods_are_named() {
    let Some(stage) = Stage::start().await else { return };
    says(&stage, &[("nope 1", "[fail] \"unknown method nope\"")]).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn yarp_015_arguments_that_do_not_fit_are_named() {
    let Some(stage) = Stage::start().await else { return };
    for (line, begin) in [
        ("add x y", "[fail] \"bad argument 1 for add"),
        ("add 1", "[fail] \"wrong number of arguments for add"),
        ("add 3000000000 1", "[fail] \"bad argument 1 for add"),
        ("add 1 2.5", "[fail] \"bad argument 2 for add"),
    ] {
        let response = stage.rpc(line).await;
        assert!(response.starts_with(begin), "{line}: {response}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn yarp_016_members_of_structs_stand_side_by_side() {
    let Some(stage) = Stage::start().await else { return };
    says(&stage, &[("pose", "1.0 2.0 3.0"), ("pt 3 4.0", "3 4.0"), ("pt (3 4.0)", "3 4.0")]).await;
    says(&stage, &[("pt ((y 4.0) (x 3))", "3 4.0")]).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn yarp_017_values_are_those_of_yarp() {
    let Some(stage) = Stage::start().await else { return };
    let expected = [
        ("table", "((a 1) (b 2))"),
        ("vec 3", "(0.0 0.5 1.0)"),
        ("blob 4", "{0 1 2 3}"),
        ("big", "5000000000"),
        ("start 1 2.0", "true"),
    ];
    says(&stage, &expected).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn yarp_018_text_is_passed_on() {
    let Some(stage) = Stage::start().await else { return };
    says(&stage, &[("greet Zoé", "\"hello Zoé\""), ("greet 42", "\"hello 42\"")]).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn yarp_019_a_dynamic_value_comes_back_as_it_was() {
    let Some(stage) = Stage::start().await else { return };
    let value = "(a 1 {1 2 3} true 5000000000 2.5 (1 (2.5 \"x y\")))";
    says(&stage, &[(&format!("echo {value}"), value)]).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn yarp_020_properties_are_read_and_set() {
    let Some(stage) = Stage::start().await else { return };
    says(&stage, &[("get gain", "2.5"), ("set gain 4.5", ""), ("get gain", "4.5")]).await;
    assert_eq!(stage.probe.gain.get(), 4.5);
    let response = stage.rpc("set gain x").await;
    assert!(response.starts_with("[fail] \"bad argument 1 for set gain"), "{response}");
    says(&stage, &[("get any", "(1 two (3.0))"), ("get gain", "4.5")]).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn yarp_021_methods_may_be_called_like_commands() {
    let Some(stage) = Stage::start().await else { return };
    says(&stage, &[("call set 7", "70"), ("set 7", "70"), ("call get_answer", "42")]).await;
    says(&stage, &[("properties", "gain mode any"), ("signals", "tick alarm")]).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn yarp_022_help_lists_all_methods() {
    let Some(stage) = Stage::start().await else { return };
    let help = stage.rpc("help").await;
    let lines: Vec<_> = help.lines().collect();
    assert_eq!(lines[..2], ["Responses:", "  *** Available commands:"], "{help}");
    assert_eq!(lines.last(), Some(&"  help"), "{help}");
    for method in ["add", "echo", "get_answer", "pt", "emit_tick", "m"] {
        assert!(lines.contains(&format!("  {method}").as_str()), "{method}: {help}");
    }
    let help = stage.rpc("help add").await;
    assert_eq!(help, "Responses:\n  add(int32 a, int32 b) -> int32");
    let help = stage.rpc("help get answer").await;
    assert_eq!(help, "Responses:\n  get_answer() -> int32");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_call_takes_as_long_as_the_front_says() {
    let Some(stage) = Stage::with(|options| options.call_timeout = Duration::from_millis(300)).await else { return };
    assert_eq!(stage.rpc("slow 60000").await, "[fail] \"timeout after 300ms\"");
    assert_eq!(stage.rpc("add 2 3").await, "5");
}
