//! Services, proxies and values made by the macros, over TCP (spec 3.2, 6, 8, 9).

use std::{
    collections::BTreeMap,
    sync::{
        Arc,
        atomic::{AtomicI32, Ordering},
    },
    time::Duration,
};

use keyway::{
    CallContext, Directory, Error, IntoObject, MetaObject, Object, Property, Proxy, QiValue, Session, Signal,
    SignalStream, Signature, Value,
    value::{CodecError, from_payload, to_payload},
};

#[derive(QiValue, Debug, Clone, Default, PartialEq)]
struct Point {
    x: i32,
    label: String,
}

#[derive(QiValue, Debug, Clone, PartialEq)]
#[qi(rename = "qi::Path")]
struct Path {
    r#type: Mode,
    #[qi(rename = "wayPoints")]
    points: Vec<Point>,
}

#[derive(QiValue, Debug, PartialEq)]
struct Pair<A, B>(A, B)
where
    B: Clone;

#[derive(QiValue, Debug, PartialEq)]
struct Named<T> {
    value: Option<T>,
}

#[derive(QiValue, Debug, PartialEq)]
struct Nothing;

#[derive(QiValue, Debug, Clone, Copy, PartialEq)]
#[qi(transparent)]
struct Celsius(f64);

#[derive(QiValue, Debug, Clone, Copy, PartialEq)]
#[qi(transparent)]
struct Distance {
    meters: f32,
}

#[derive(QiValue, Debug, Clone, Copy, PartialEq)]
enum Mode {
    Off,
    Slow = 5,
    Fast,
    Back = -1,
}

/// The text of the signature of `T`.
fn signature<T: QiValue>() -> String {
    T::signature().to_string()
}

fn round_trip<T: QiValue>(value: &T) -> Result<T, CodecError> {
    from_payload(&to_payload(value)?.into_bytes())
}

#[test]
fn derived_signatures_are_those_of_libqi() {
    assert_eq!(signature::<Point>(), "(is)<Point,x,label>");
    assert_eq!(signature::<Path>(), "(i[(is)<Point,x,label>])<qi::Path,type,wayPoints>");
    assert_eq!(signature::<Pair<i8, f32>>(), "(cf)");
    assert_eq!(signature::<Named<Point>>(), "(+(is)<Point,x,label>)<Named,value>");
    assert_eq!(signature::<Nothing>(), "()");
    assert_eq!(signature::<Celsius>(), "d");
    assert_eq!(signature::<Distance>(), "f");
    assert_eq!(signature::<Mode>(), "i");
    assert_eq!(Signature::parse(&signature::<Path>()).unwrap(), Path::signature());
}

#[test]
fn derived_sizes_are_those_of_the_signatures() {
    fn check<T: QiValue>() {
        assert_eq!(T::MIN_SIZE, T::signature().min_size(), "{}", T::signature());
    }
    check::<Point>();
    check::<Path>();
    check::<Pair<i8, f32>>();
    check::<Named<Point>>();
    check::<Nothing>();
    check::<Celsius>();
    check::<Mode>();
}

#[test]
fn derived_values_are_read_as_they_were_written() {
    let points = vec![Point { x: 1, label: "one".into() }, Point::default()];
    let path = Path { r#type: Mode::Back, points };
    assert_eq!(round_trip(&path).unwrap(), path);
    assert_eq!(round_trip(&Pair(1_u8, "b".to_owned())).unwrap(), Pair(1, "b".to_owned()));
    assert_eq!(round_trip(&Named { value: Some(2_i64) }).unwrap(), Named { value: Some(2) });
    assert_eq!(round_trip(&Nothing).unwrap(), Nothing);
    assert_eq!(round_trip(&Celsius(36.6)).unwrap(), Celsius(36.6));
    assert_eq!(round_trip(&Distance { meters: 2.0 }).unwrap(), Distance { meters: 2.0 });
    assert_eq!(&to_payload(&Point { x: 2, label: "a".into() }).unwrap().into_bytes()[..], b"\x02\0\0\0\x01\0\0\0a");
}

#[test]
fn an_unknown_discriminant_is_an_error() {
    for mode in [Mode::Off, Mode::Slow, Mode::Fast, Mode::Back] {
        assert_eq!(to_payload(&mode).unwrap().into_bytes(), to_payload(&(mode as i32)).unwrap().into_bytes());
        assert_eq!(round_trip(&mode).unwrap(), mode);
    }
    let error = from_payload::<Mode>(&to_payload(&3).unwrap().into_bytes()).unwrap_err();
    assert_eq!(error, CodecError::Custom("3 is not a value of Mode".into()));
}

#[test]
fn bytes_that_end_too_early_are_an_error() {
    let bytes = to_payload(&Point { x: 1, label: "one".into() }).unwrap().into_bytes();
    for length in 0..bytes.len() {
        assert_eq!(from_payload::<Point>(&bytes.slice(..length)).unwrap_err(), CodecError::ReadPastEnd);
    }
}

/// A robot with one of everything.
#[derive(Default)]
struct Robot {
    moved: Signal<(Point, Mode)>,
    spoke: Signal<(String,)>,
    level: Property<i32>,
    battery: Property<u8>,
    home: Property<Point>,
    posted: AtomicI32,
}

/// Moves and speaks.
///
/// As robots do.
#[keyway::service(
    signals(moved, spoke(name = "said")),
    properties(level, battery(name = "batteryCharge", read_only), home),
    rename_all = "camelCase"
)]
impl Robot {
    fn new(level: i32) -> Self {
        Self { level: Property::new(level), battery: Property::new(80), ..Self::default() }
    }

    /// Says something aloud.
    fn say(
        &self,
        /// What to say.
        text: &str,
        _volume: f32,
    ) -> Result<u32, String> {
        if text.is_empty() {
            return Err("nothing to say".into());
        }
        self.spoke.emit(&(text.to_owned(),));
        u32::try_from(text.len()).map_err(|error| error.to_string())
    }

    async fn walk_to(&self, to: Point, mode: Mode) -> Path {
        tokio::time::sleep(Duration::from_millis(1)).await;
        self.moved.emit(&(to.clone(), mode));
        Path { r#type: mode, points: vec![to] }
    }

    async fn stop(&self) -> keyway::Result<()> {
        Err(Error::Canceled)
    }

    #[qi(name = "convert")]
    fn convert_number(&self, n: i32) -> String {
        n.to_string()
    }

    #[qi(name = "convert")]
    fn convert_text(&self, text: &str, (radix, _): (u32, bool)) -> Result<i32, std::num::ParseIntError> {
        i32::from_str_radix(text, radix)
    }

    fn who_calls(&self, #[qi(context)] context: &CallContext, greeting: &str) -> String {
        format!("{greeting} {}", context.peer())
    }

    #[expect(clippy::needless_pass_by_value, reason = "contexts can be kept")]
    fn owned_context(&self, #[qi(context)] context: CallContext) -> bool {
        context.connection().is_some()
    }

    async fn who_waits(&self, times: u32, #[qi(context)] context: &CallContext) -> String {
        tokio::time::sleep(Duration::from_millis(1)).await;
        context.peer().repeat(times as usize)
    }

    async fn who_owns(&self, #[qi(context)] context: CallContext) -> String {
        context.peer()
    }

    #[qi(blocking)]
    fn think(&self, milliseconds: u64) -> &'static str {
        std::thread::sleep(Duration::from_millis(milliseconds));
        "42"
    }

    async fn longest(&self, words: &[String], path: &Path, or: &str) -> String {
        tokio::time::sleep(Duration::from_millis(1)).await;
        let labels = path.points.iter().map(|point| &point.label);
        words.iter().chain(labels).max_by_key(|word| word.len()).map_or_else(|| or.to_owned(), Clone::clone)
    }

    #[deprecated = "an Arc has one too"]
    fn clone(&self) -> i32 {
        self.level.get()
    }

    fn many(&self) -> BTreeMap<String, Vec<Celsius>> {
        BTreeMap::from([("head".to_owned(), vec![Celsius(36.5), Celsius(37.0)])])
    }

    fn post_me(&self, n: i32) {
        self.posted.store(n, Ordering::SeqCst);
        self.spoke.emit(&("posted".to_owned(),));
    }

    #[cfg(any())]
    fn never_there(&self) -> Missing {}

    fn twin(&self) -> Object {
        Self::new(99).into_object()
    }

    #[qi(skip)]
    fn helper(&self) -> i32 {
        self.posted.load(Ordering::SeqCst)
    }

    fn level_of(robot: &Self) -> i32 {
        robot.level.get()
    }
}

/// The same robot from afar.
#[keyway::proxy(rename_all = "camelCase")]
trait RobotApi {
    /// Says something aloud.
    async fn say(&self, text: &str, volume: f32) -> keyway::Result<u32>;
    async fn walk_to(&self, to: &Point, mode: Mode) -> keyway::Result<Path>;
    async fn stop(&self) -> keyway::Result<()>;
    #[qi(name = "convert")]
    async fn number_to_text(&self, n: i32) -> keyway::Result<String>;
    #[qi(name = "convert")]
    async fn text_to_number(&self, text: String, radix: (u32, bool)) -> keyway::Result<i32>;
    async fn who_calls(&self, greeting: String) -> keyway::Result<String>;
    async fn owned_context(&self) -> keyway::Result<bool>;
    async fn who_waits(&self, times: u32) -> keyway::Result<String>;
    async fn who_owns(&self) -> keyway::Result<String>;
    fn think(&self, milliseconds: u64) -> keyway::Call<String>;
    async fn longest(&self, words: &[String], path: &Path, or: &str) -> keyway::Result<String>;
    async fn many(&self) -> keyway::Result<BTreeMap<String, Vec<Celsius>>>;
    #[qi(post)]
    fn post_me(&self, n: i32) -> keyway::Result<()>;
    async fn twin(&self) -> keyway::Result<RobotApiProxy>;
    async fn missing<T: QiValue>(&self, anything: T) -> keyway::Result<()>;

    #[qi(signal)]
    async fn moved(&self) -> keyway::Result<SignalStream<(Point, Mode)>>;
    #[qi(signal)]
    async fn said(&self) -> keyway::Result<SignalStream<(String,)>>;
    #[qi(signal, name = "level")]
    async fn level_changes(&self) -> keyway::Result<SignalStream<(i32,)>>;

    #[qi(property)]
    async fn level(&self) -> keyway::Result<i32>;
    #[qi(property)]
    async fn set_level(&self, value: i32) -> keyway::Result<()>;
    #[qi(property)]
    async fn battery_charge(&self) -> keyway::Result<u8>;
    #[qi(property)]
    async fn set_battery_charge(&self, value: u8) -> keyway::Result<()>;
    #[qi(property, name = "home")]
    async fn where_home_is(&self) -> keyway::Result<Point>;
    #[qi(property)]
    async fn set_home(&self, home: &Point) -> keyway::Result<()>;
}

/// A service and a typed proxy of it over the network. What keeps them alive comes along.
struct Stage {
    robot: Arc<Robot>,
    proxy: RobotApiProxy,
    _directory: Directory,
    _host: Session,
}

async fn stage() -> Stage {
    let directory = Directory::builder().listen("tcp://127.0.0.1:0").start().await.unwrap();
    let url = directory.urls().remove(0);
    let host = Session::connect(&url).await.unwrap();
    let robot = Arc::new(Robot::new(3));
    host.register("Robot", robot.clone()).await.unwrap();
    let client = Session::connect(&url).await.unwrap();
    let proxy = client.service("Robot").await.unwrap().into();
    Stage { robot, proxy, _directory: directory, _host: host }
}

fn metaobject() -> Arc<MetaObject> {
    Robot::new(0).into_object().metaobject()
}

#[test]
fn comments_and_parameter_names_are_in_the_metaobject() {
    let metaobject = metaobject();
    assert_eq!(metaobject.description, "Moves and speaks.\n\nAs robots do.");
    let say = metaobject.method_by_name("say::(sf)").unwrap();
    assert_eq!(say.description, "Says something aloud.");
    let parameters: Vec<_> = say.parameters.iter().map(|p| (p.name.as_str(), p.description.as_str())).collect();
    assert_eq!(parameters, [("text", "What to say."), ("_volume", "")]);
    let convert = metaobject.method_by_name("convert::(s(Ib))").unwrap();
    assert_eq!(convert.parameters[1].name, "argument2");
    let who = metaobject.method_by_name("whoCalls::(s)").unwrap();
    assert_eq!(who.parameters.len(), 1);
}

#[test]
fn only_what_is_meant_for_others_is_exported() {
    let metaobject = metaobject();
    let own = metaobject.methods.values().filter(|method| method.uid >= 100).map(|method| method.name.as_str());
    let mut names: Vec<_> = own.collect();
    names.sort_unstable();
    names.dedup();
    let expected = [
        "clone",
        "convert",
        "longest",
        "many",
        "ownedContext",
        "postMe",
        "say",
        "stop",
        "think",
        "twin",
        "walkTo",
        "whoCalls",
        "whoOwns",
        "whoWaits",
    ];
    assert_eq!(names, expected);
    assert!(metaobject.signal_by_name("said").is_some() && metaobject.signal_by_name("spoke").is_none());
    assert!(metaobject.property_by_name("batteryCharge").is_some());
}

#[tokio::test]
async fn the_block_stays_plain_rust() {
    let robot = Robot::new(7);
    assert_eq!(Robot::level_of(&robot), 7);
    robot.post_me(4);
    assert_eq!(robot.helper(), 4);
    assert_eq!(robot.say("hello", 1.0), Ok(5));
    assert_eq!(robot.walk_to(Point::default(), Mode::Fast).await.r#type, Mode::Fast);
}

#[tokio::test]
async fn structs_and_enums_are_arguments_and_results() {
    let Stage { proxy, _directory, _host, .. } = stage().await;
    let to = Point { x: 3, label: "door".into() };
    let path = proxy.walk_to(&to, Mode::Slow).await.unwrap();
    assert_eq!(path, Path { r#type: Mode::Slow, points: vec![to] });
    assert_eq!(proxy.many().await.unwrap()["head"], [Celsius(36.5), Celsius(37.0)]);
    let unknown = proxy.as_proxy().call::<Value>("walkTo", (Point::default(), 77)).await.unwrap_err();
    assert_eq!(unknown.to_string(), "77 is not a value of Mode");
}

#[tokio::test]
async fn references_are_sent_and_received_as_values() {
    let Stage { proxy, _directory, _host, .. } = stage().await;
    let mut path = Path { r#type: Mode::Fast, points: Vec::new() };
    assert_eq!(proxy.longest(&[], &path, "none").await.unwrap(), "none");
    path.points.push(Point { x: 0, label: "three".into() });
    assert_eq!(proxy.longest(&["one".into(), "two".into()], &path, "none").await.unwrap(), "three");
}

#[tokio::test]
async fn a_method_may_have_the_name_of_one_of_an_arc() {
    let Stage { proxy, _directory, _host, .. } = stage().await;
    assert_eq!(proxy.as_proxy().call::<i32>("clone", ()).await.unwrap(), 3);
}

#[tokio::test]
async fn errors_are_the_texts_of_the_methods() {
    let Stage { proxy, _directory, _host, .. } = stage().await;
    assert_eq!(proxy.say("four", 1.0).await.unwrap(), 4);
    assert_eq!(proxy.say("", 1.0).await.unwrap_err().to_string(), "nothing to say");
    assert!(matches!(proxy.stop().await, Err(Error::Canceled)));
    assert!(matches!(proxy.missing(1).await, Err(Error::NoSuchMember(_))));
}

#[tokio::test]
async fn functions_of_one_name_are_overloads() {
    let Stage { proxy, _directory, _host, .. } = stage().await;
    assert_eq!(proxy.number_to_text(42).await.unwrap(), "42");
    assert_eq!(proxy.text_to_number("ff".into(), (16, true)).await.unwrap(), 255);
    let error = proxy.text_to_number("xy".into(), (16, true)).await.unwrap_err();
    assert_eq!(error.to_string(), "invalid digit found in string");
}

#[tokio::test]
async fn methods_know_who_calls() {
    let Stage { proxy, _directory, _host, .. } = stage().await;
    assert!(proxy.who_calls("hello".into()).await.unwrap().starts_with("hello "));
    assert!(proxy.owned_context().await.unwrap());
    let once = proxy.who_owns().await.unwrap();
    assert!(once.contains("127.0.0.1"), "{once}");
    assert_eq!(proxy.who_waits(2).await.unwrap(), once.repeat(2));
}

#[tokio::test]
async fn a_blocking_method_holds_nobody_up() {
    let Stage { proxy, _directory, _host, .. } = stage().await;
    let mut thinking = proxy.think(300);
    let others = async {
        for _ in 0..10 {
            proxy.number_to_text(1).await.unwrap();
        }
    };
    tokio::select! {
        biased;
        _ = &mut thinking => panic!("it did not take its time"),
        () = others => {}
    }
    assert_eq!(thinking.await.unwrap(), "42");
}

#[tokio::test]
async fn signals_are_typed_streams() {
    let Stage { robot, proxy, _directory, _host } = stage().await;
    let mut moved = proxy.moved().await.unwrap();
    let mut said = proxy.said().await.unwrap();
    let to = Point { x: 1, label: "a".into() };
    proxy.walk_to(&to, Mode::Back).await.unwrap();
    assert_eq!(moved.next().await.unwrap().unwrap(), (to, Mode::Back));
    robot.spoke.emit(&("from here".into(),));
    assert_eq!(said.next().await.unwrap().unwrap().0, "from here");
}

#[tokio::test]
async fn a_post_runs_the_method_without_an_answer() {
    let Stage { robot, proxy, _directory, _host } = stage().await;
    let mut said = proxy.said().await.unwrap();
    proxy.post_me(11).unwrap();
    assert_eq!(said.next().await.unwrap().unwrap().0, "posted");
    assert_eq!(robot.helper(), 11);
}

#[tokio::test]
async fn properties_are_read_set_and_watched() {
    let Stage { robot, proxy, _directory, _host } = stage().await;
    assert_eq!(proxy.level().await.unwrap(), 3);
    let mut changes = proxy.level_changes().await.unwrap();
    proxy.set_level(9).await.unwrap();
    assert_eq!(changes.next().await.unwrap().unwrap(), (9,));
    assert_eq!(robot.level.get(), 9);
    let home = Point { x: 5, label: "home".into() };
    proxy.set_home(&home).await.unwrap();
    assert_eq!(proxy.where_home_is().await.unwrap(), home);
}

#[tokio::test]
async fn a_read_only_property_is_not_set_by_others() {
    let Stage { robot, proxy, _directory, _host } = stage().await;
    assert_eq!(proxy.set_battery_charge(100).await.unwrap_err().to_string(), "the property is read-only");
    assert_eq!(proxy.battery_charge().await.unwrap(), 80);
    robot.battery.set(79).unwrap();
    assert_eq!(proxy.battery_charge().await.unwrap(), 79);
}

#[tokio::test]
async fn typed_proxies_travel_as_objects() {
    let Stage { proxy, _directory, _host, .. } = stage().await;
    let twin = proxy.twin().await.unwrap();
    assert_eq!(twin.level().await.unwrap(), 99);
    assert_eq!(signature::<RobotApiProxy>(), "o");
    let untyped: &Proxy = twin.as_ref();
    assert_eq!(untyped.uid(), Proxy::from(twin.clone()).uid());
}

/// Services may have parameters, and the SDK another name.
mod elsewhere {
    pub(crate) use keyway as sdk;
    use sdk::{IntoObject, QiValue};

    #[derive(QiValue, Clone, Default)]
    #[qi(crate = crate::elsewhere::sdk)]
    pub(crate) struct Sample {
        pub(crate) value: f64,
    }

    pub(crate) struct Store<T>(pub(crate) T);

    #[sdk::service(crate = crate::elsewhere::sdk, description = "Keeps a thing.")]
    impl<T> Store<T>
    where
        T: QiValue + Clone + Send + Sync + 'static,
    {
        fn read(&self) -> T {
            self.0.clone()
        }

        fn try_read(&self) -> Result<T, String> {
            Ok(self.0.clone())
        }
    }

    #[sdk::proxy(name = "StoreOfSamples", crate = crate::elsewhere::sdk)]
    pub(crate) trait StoreApi {
        async fn read(&self) -> sdk::Result<Sample>;
        async fn try_read(&self) -> sdk::Result<Sample>;
    }

    #[tokio::test]
    async fn generic_services_and_another_name_of_the_sdk_work() {
        let object = Store(Sample { value: 1.5 }).into_object();
        assert_eq!(object.metaobject().description, "Keeps a thing.");
        let store = StoreOfSamples::from(object.proxy());
        assert_eq!(store.read().await.unwrap().value, 1.5);
        assert_eq!(store.try_read().await.unwrap().value, 1.5);
    }
}
