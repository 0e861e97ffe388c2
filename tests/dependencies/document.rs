//! The page is one document with parts behind it: what puts them together, on pages made up for it.

use std::collections::BTreeMap;

#[path = "../../src/build/page.rs"]
mod page;

use page::{Document, put_together};

fn together(html: &str, files: &[(&str, &str)]) -> Result<Document, String> {
    let files: BTreeMap<&str, &str> = files.iter().copied().collect();
    put_together(html, &mut |name| files.get(name).map(|text| (*text).to_owned()).ok_or(format!("no {name}")))
}

fn tag(name: &str) -> String {
    format!("<script type=\"module\" src=\"/{name}\"></script>")
}

#[test]
fn each_module_stands_once_where_it_is_first_needed_and_behind_what_it_imports() {
    let html = format!("<head>\n  {}\n</head>\n<p>\n{}\n", tag("a.js"), tag("d.js"));
    let document = together(
        &html,
        &[
            ("a.js", "export const one = 1;\nexport function two() {\n  return 2;\n}\n"),
            ("b.js", "import { one } from './a.js';\nexport class Three {}\nconst hidden = one;\n"),
            ("c.js", "import { one, two } from './a.js';\nimport { Three } from './b.js';\nexport const four = 4;\n"),
            ("d.js", "import { four } from './c.js';\nimport { Three } from './b.js';\nfour;\n"),
        ],
    )
    .unwrap();
    let [first, rest] = document.scripts.as_slice() else { panic!("{document:?}") };
    assert_eq!(
        first,
        "\n'use strict';\nconst $a = (() => {\nconst one = 1;\nfunction two() {\nreturn 2;\n}\nreturn { one, two };\n})();\n"
    );
    let places = ["const $b = ", "const $c = ", "const $d = "].map(|module| {
        assert_eq!(rest.matches(module).count(), 1, "{rest}");
        rest.find(module)
    });
    assert!(places.is_sorted() && !rest.contains("const $a") && !rest.contains("import ") && !rest.contains("export "));
    assert!(rest.contains("const { one, two } = $a;\nconst { Three } = $b;\nconst four = 4;\nreturn { four };"));
    for script in &document.scripts {
        assert!(document.html.contains(&format!("<script>{script}</script>")), "its hash is that of what stands there");
    }
    assert!(document.html.contains("</head>\n<p>\n"));
}

#[test]
fn a_stylesheet_stands_in_the_document_as_its_hash_says() {
    let document = together("<link rel=\"stylesheet\" href=\"/a.css\">\n", &[("a.css", "p { color: red }\n")]).unwrap();
    assert_eq!(document.styles, ["\np { color: red }\n"]);
    assert_eq!(document.html, "<style>\np { color: red }\n</style>\n");
}

#[test]
fn comments_indentation_and_empty_lines_stay_behind() {
    let script = "// What it does.\n/**\n * More.\n */\nexport const a = () => {\n\n  /* Why. */\n  return '// no comment'; // at its end\n};\n";
    let style = "/* All\n   of it. */\np {\n  color: red; /* warm */\n}\n";
    let html = format!("<link rel=\"stylesheet\" href=\"/a.css\">\n\n  <p>\n  {}\n", tag("a.js"));
    let document = together(&html, &[("a.js", script), ("a.css", style)]).unwrap();
    assert_eq!(document.styles, ["\np {\ncolor: red; /* warm */\n}\n"]);
    let body = "const a = () => {\nreturn '// no comment'; // at its end\n};\n";
    assert_eq!(document.scripts, [format!("\n'use strict';\nconst $a = (() => {{\n{body}return {{ a }};\n}})();\n")]);
    assert!(document.html.contains("</style>\n<p>\n<script>"));
}

const PARTS: &str = "<meta name=\"part\" content=\"/late.html\">\n<meta name=\"part\" content=\"/later.html\">\n";

#[test]
fn a_part_is_one_script_with_all_that_is_not_there_before_it() {
    let late = format!(
        "<link rel=\"stylesheet\" href=\"/a.css\">\n<link rel=\"stylesheet\" href=\"/b.css\">\n<p title=\"a\\b\">\n{}\n",
        tag("late.js")
    );
    let document = together(
        &format!("{PARTS}{}\n", tag("parts.js")),
        &[
            ("parts.js", "export function place() {}\n"),
            ("late.html", &late),
            ("a.css", "p { color: red }\n"),
            ("b.css", "b { color: red }\n"),
            ("late.js", "import { place } from './parts.js';\nimport { two } from './two.js';\nplace(two);\n"),
            ("two.js", "export const two = 2;\n"),
            ("later.html", &format!("{}\n", tag("later.js"))),
            ("later.js", "import { two } from './two.js';\ntwo;\n"),
        ],
    )
    .unwrap();
    let style = "\np { color: red }\n\nb { color: red }\n";
    assert_eq!(document.styles, [style], "its style's hash counts");
    let [late, later] = document.parts.as_slice() else { panic!("{document:?}") };
    assert_eq!(
        late.script,
        "'use strict';\nconst { $late, $two } = ((make) => make())(() => {\n\
         $parts.place(\"late\", \"\\np { color: red }\\n\\nb { color: red }\\n\", \"<p title=\\\"a\\\\b\\\">\\n\");\n\
         const $two = (() => {\nconst two = 2;\nreturn { two };\n})();\n\
         const $late = (() => {\nconst { place } = $parts;\nconst { two } = $two;\nplace(two);\nreturn {  };\n})();\n\
         return { $late, $two };\n});\n"
    );
    assert!(
        later.script.contains(
            "const { $later } = ((make) => make())(() => {\n$parts.place(\"later\", \"\", \"\");\nconst $later"
        )
    );
    for (part, source) in [(late, "late"), (later, "later")] {
        let hash = part.name.strip_prefix(source).and_then(|rest| rest.strip_prefix('-')?.strip_suffix(".js"));
        assert!(hash.is_some_and(|hash| hash.len() == 16), "{}", part.name);
        assert!(document.html.contains(&format!("<meta name=\"part\" content=\"/{}\">\n", part.name)));
    }
    assert!(!document.html.contains(".html") && document.scripts.len() == 1);
}

#[test]
fn a_part_that_nothing_asks_for_ends_the_build() {
    let error = together(PARTS, &[("late.html", ""), ("later.html", "")]).unwrap_err();
    assert!(error.contains("late.html") && error.contains("parts.js"), "{error}");
}

#[test]
fn what_it_does_not_understand_ends_the_build_with_file_and_line() {
    let wrong = [
        ("import * as x from './b.js';\n", "a.js:1"),
        ("\nimport { x as y } from './b.js';\n", "a.js:2"),
        ("import { x } from 'elsewhere';\n", "a.js:1"),
        ("export default 3;\n", "a.js:1"),
        ("export let x = 3;\n", "a.js:1"),
        ("export { x };\n", "a.js:1"),
        ("const x = 1;\nx && import('./b.js');\n", "a.js:2"),
        ("import { x } from './missing.js';\n", "no missing.js"),
        ("import { x } from './a.js';\n", "imports itself"),
        ("const x = '</script>';\n", "</script"),
        ("const x = '<!--';\n", "<!--"),
        ("const x = `\n  two lines`;\n", "a.js:1"),
        ("/* one */ const x = 1;\n", "a.js:1"),
    ];
    for (text, told) in wrong {
        let error = together(&tag("a.js"), &[("a.js", text), ("b.js", "export const x = 1;\n")]).unwrap_err();
        assert!(error.contains(told), "{text}: {error}");
    }
    for html in ["<script>1</script>", "<link href=\"/a.css\" rel=\"stylesheet\">", "<style>p {}</style>"] {
        assert!(together(html, &[("a.css", "")]).unwrap_err().contains(html), "{html}");
    }
}
