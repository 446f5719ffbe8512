use super::*;
use crate::domain::Kind;

struct Object(&'static [(&'static str, &'static str)]);

impl Fields for Object {
    fn field(&self, path: &[String]) -> Option<Cow<'_, str>> {
        let path = path.join(".");
        self.0.iter().find(|(name, _)| *name == path).map(|(_, value)| Cow::Borrowed(*value))
    }
}

const WEB: Object = Object(&[
    ("name", "web"),
    ("size", "12"),
    ("labels.app", "shop"),
    ("labels.containerd.io/gc.ref", "sha256:ab"),
    ("labels.say \"hi\"\\.loud", "yes, please"),
    ("labels.tab\there", "x"),
    ("labels.empty", ""),
]);

fn holds(filter: &str) -> bool {
    Filter::parse(&[filter]).unwrap_or_else(|error| panic!("{filter}: {error}")).matches(&WEB)
}

#[test]
fn what_holds() {
    for filter in [
        "",
        "name",
        "name==web",
        "name!=db",
        "name==web,size==12",
        " name == web, size == 12",
        "labels.app",
        "labels.app==shop",
        "labels.\"containerd.io/gc.ref\"",
        "labels.containerd.\"io/gc\".ref==sha256:ab",
        "labels.empty",
        "labels.empty==\"\"",
        r#"labels."say \"hi\"\\".loud=="yes, please""#,
        r#"labels."tab\x09here"==x"#,
        r#"labels."tab\011here"==x"#,
        r#"labels."tab\u0009here"=="\U00000078""#,
        "name~=^w",
        "name~=/^w[a-e]{1,2}$/",
        "name~=|^(web/x,y)?|",
        r#"name~="^\\w+$""#,
        r"name~=/^[^\/]+$/",
        "labels.\"containerd.io/gc.ref\"~=:ab$",
        // What is absent differs from everything and matches what empty text matches.
        "missing!=x",
        "missing~=^$",
        "name==web,labels.app~=(?i)SHOP",
        "labels.app!=a=b.c",
    ] {
        assert!(holds(filter), "{filter}");
    }
}

#[test]
fn what_does_not_hold() {
    for filter in [
        "missing",
        "missing==\"\"",
        "missing!=\"\"",
        "missing~=/./",
        "name==WEB",
        "name!=web",
        "name==web,missing",
        "labels",
        "labels.app.more",
        "name~=^e",
        "size==12x",
    ] {
        assert!(!holds(filter), "{filter}");
    }
}

#[test]
fn one_of_several_filters_is_enough() {
    let matches = |filters: &[&str]| Filter::parse(filters).unwrap().matches(&WEB);
    assert!(matches(&[]));
    assert!(matches(&["missing", "name"]));
    assert!(matches(&["missing", ""]));
    assert!(!matches(&["missing", "name==db"]));
}

#[test]
fn errors_point_at_the_place() {
    for (filter, text) in [
        ("name==web,", "[name==web,]: expected a field"),
        ("labels.", "[labels.]: expected a field"),
        (",", "[ >|,|< ]: expected a field"),
        ("labels.?\"x\"", "[labels. >|?|< \"x\"]: expected a field"),
        ("labels.|x|==y", "[labels. >|||< x|==y]: expected a field"),
        ("name=web", "[name >|=|< web]: expected an operator (==, != or ~=)"),
        ("name===web", "[name >|=|< ==web]: expected an operator (==, != or ~=)"),
        ("labels.ns/key==v", "[labels.ns >|/|< key==v]: expected an operator (==, != or ~=)"),
        ("name ", "[name ]: expected an operator (==, != or ~=)"),
        ("name==", "[name==]: expected a value"),
        ("name~=,x", "[name~= >|,|< x]: expected a value"),
        ("name==.x", "[name== >|.|< x]: expected a value"),
        ("name==/x/", "[name== >|/|< x/]: this quote is for regular expressions only"),
        ("name==a b", "[name==a >| |< b]: expected a comma or the end"),
        ("name==\"x", "[name== >|\"|< x]: the quote does not end"),
        ("name==\"x\n\"", "[name== >|\"|< x\n\"]: the quote does not end"),
        ("name==\"\\q\"", "[name==\" >|\\|< q\"]: illegal escape"),
        ("name==\"\\x4\"", "[name==\" >|\\|< x4\"]: illegal escape"),
        ("name==\"\\400\"", "[name==\" >|\\|< 400\"]: illegal escape"),
        ("name==\"\\ud800\"", "[name==\" >|\\|< ud800\"]: illegal escape"),
        ("name==\"\\UFFFFFFFF\"", "[name==\" >|\\|< UFFFFFFFF\"]: illegal escape"),
        ("name==\"\\xff\"", "[name== >|\"|< \\xff\"]: the escapes do not make UTF-8"),
        ("name~=/(/", "[name~= >|/|< (/]: the regular expression does not parse: unclosed group"),
        ("ñ", "[ >|ñ|< ]: expected a field"),
    ] {
        let error = Filter::parse(&[filter]).expect_err(filter);
        assert_eq!((error.kind(), error.public()), (Kind::InvalidArgument, &*format!("filters: parse error: {text}")));
    }
}

#[test]
fn hostile_filters_cost_little_and_are_refused() {
    let nested = format!("name~={}a{}", "(".repeat(5000), ")".repeat(5000));
    let repeated = "name~=/((((a{90}){90}){90}){90}){90}/".to_owned();
    let unicode = format!("name~=/{}/", r"\\w{50}".repeat(200));
    let long = format!("name=={}", "x".repeat(MAX_TEXT));
    let cut = format!("name=={}é\u{0}", "é".repeat(1000));
    for filter in [nested, repeated, unicode, long, cut] {
        let error = Filter::parse(&[&filter]).expect_err("hostile");
        assert_eq!(error.kind(), Kind::InvalidArgument);
        assert!(error.public().len() < 1024, "the error does not repeat the whole input");
    }
    assert!(Filter::parse(&vec!["name"; MAX_FILTERS + 1]).is_err());
    assert!(Filter::parse(&vec!["name~=x"; MAX_PATTERNS + 1]).is_err());
    assert!(Filter::parse(&vec!["a"; MAX_FILTERS]).is_ok());
    let deep = "a.".repeat(10_000) + "a";
    assert!(!holds(&deep), "a deep path is no recursion");
}

#[test]
fn no_text_makes_the_parser_panic() {
    // Every string over an alphabet that reaches all branches, up to a length.
    let alphabet = ["a", ".", ",", "=", "~", "!", "\"", "/", "\\", "é", " ", "0", "\0"];
    let mut texts = vec![String::new()];
    for _ in 0..4 {
        let longer: Vec<String> =
            texts.iter().flat_map(|text| alphabet.iter().map(move |c| format!("{text}{c}"))).collect();
        for tail in &longer {
            let _ = Filter::parse(&[tail]);
            let _ = Filter::parse(&[format!("a=={tail}")]);
        }
        texts = longer;
    }
}
