//! The page of `compare --html`, in a real browser.

use std::fs;

use serde_json::json;
use sterna_servers::{Browser, View};

use crate::compare::three;

pub const PHONE: View = View { width: 390, height: 844, dark: false };
pub const DESK: View = View { width: 1280, height: 900, dark: false };

/// Every text on the page whose colour stands out from what lies behind it by less than 4.5 to 1, as WCAG 2.2 asks (1.4.3), or 3 to 1
/// where it is large.
pub const PALE: &str = r"(() => {
  const channel = value => { const c = value / 255; return c <= 0.03928 ? c / 12.92 : ((c + 0.055) / 1.055) ** 2.4; };
  const parse = colour => { const m = colour.match(/[\d.]+/g).map(Number); return { rgb: m.slice(0, 3), alpha: m.length > 3 ? m[3] : 1 }; };
  const light = rgb => 0.2126 * channel(rgb[0]) + 0.7152 * channel(rgb[1]) + 0.0722 * channel(rgb[2]);
  const behind = element => {
    for (let at = element; at; at = at.parentElement) {
      const { rgb, alpha } = parse(getComputedStyle(at).backgroundColor);
      if (alpha > 0) return rgb;
    }
    return [255, 255, 255];
  };
  const pale = [];
  const walker = document.createTreeWalker(document.body, NodeFilter.SHOW_TEXT);
  let seen = 0;
  while (walker.nextNode()) {
    const element = walker.currentNode.parentElement;
    if (!walker.currentNode.data.trim() || element.closest('title, .hidden, .skip')) continue;
    const style = getComputedStyle(element);
    const ink = parse(element instanceof SVGElement ? style.fill : style.color).rgb;
    const [a, b] = [light(ink), light(behind(element))].sort((x, y) => y - x);
    const ratio = (a + 0.05) / (b + 0.05);
    seen += 1;
    if (ratio < (parseFloat(style.fontSize) >= 24 ? 3 : 4.5)) pale.push(walker.currentNode.data.trim() + ': ' + ratio.toFixed(2));
  }
  return { seen, pale };
})()";

/// What a reader without eyes would miss.
pub const UNNAMED: &str = r"
  [...document.querySelectorAll('svg')].filter(svg => svg.getAttribute('aria-hidden') !== 'true'
    && !(svg.getAttribute('role') === 'img' && svg.getAttribute('aria-label'))).length
  + [...document.querySelectorAll('table')].filter(table => !table.querySelector('th[scope]')).length
  + [...document.querySelectorAll('.scroll')].filter(box => box.tabIndex !== 0 || !box.getAttribute('aria-label')).length";

/// Links of the navigation that lead nowhere on the page.
const DEAD: &str =
    "[...document.querySelectorAll('nav a')].filter(link => !document.querySelector(link.getAttribute('href'))).length";

#[test]
fn the_page_is_read_on_a_telephone_at_a_desk_and_in_the_dark() {
    let (sterna, [here, s3, dav]) = three();
    sterna
        .run(&["compare", &here, &s3, &dav, "--budget-bytes", "8M", "--egress", "1GB/month", "--html", "report.html"])
        .exits(0);
    let page = sterna.path("report.html");
    let mut browser = Browser::start();
    for view in [PHONE, DESK, View { dark: true, ..PHONE }, View { dark: true, ..DESK }] {
        let heard = browser.load(&page, view);
        assert_eq!(heard.console, [""; 0], "{view:?}");
        assert_eq!(heard.requests, [format!("file://{}", page.display())], "{view:?}");
        let width = browser.evaluate("document.documentElement.scrollWidth");
        assert!(width.as_u64().unwrap() <= u64::from(view.width), "{view:?}: {width} pixels wide");
        let sections = browser.evaluate("[...document.querySelectorAll('main > section')].map(section => section.id)");
        assert_eq!(sections, json!(["glance", "content", "speed", "price", "capabilities", "method"]));
        let pale = browser.evaluate(PALE);
        assert_eq!(pale["pale"], json!([]), "{view:?}");
        assert!(pale["seen"].as_u64().unwrap() > 100, "{pale}");
        assert_eq!(browser.evaluate(UNNAMED), 0, "{view:?}");
        assert_eq!(browser.evaluate(DEAD), 0, "{view:?}");
        let paper = browser.evaluate("getComputedStyle(document.body).backgroundColor");
        assert_eq!(paper.as_str().unwrap() == "rgb(19, 23, 27)", view.dark, "{paper}");
        if let Some(folder) = std::env::var_os("STERNA_TEST_PICTURES") {
            let name = format!("{}-{}.png", view.width, if view.dark { "dark" } else { "light" });
            fs::write(std::path::Path::new(&folder).join(name), browser.picture()).expect("a folder for pictures");
        }
    }
    assert_eq!(browser.evaluate("document.querySelectorAll('script').length"), 0);
    let shown = browser.evaluate("document.body.textContent.includes('<script>alert(1)')");
    assert_eq!(shown, true, "the key with a tag in it is shown as it is");
    let dots = browser.evaluate("document.querySelectorAll('#speed circle.dot').length");
    assert!(dots.as_u64().unwrap() >= 3 * (50 + 20 + 20), "{dots} dots");
}

#[test]
fn a_page_that_cannot_be_written_ends_it_before_it_begins() {
    let sterna = crate::sterna::Sterna::new();
    sterna.file("a/x", "x");
    sterna.file("b/x", "x");
    let ran = sterna
        .run(&["compare", "./a", "./b", "--html", "nowhere/report.html"])
        .exits(2)
        .says("--html nowhere/report.html");
    ran.never_says("measuring");
    sterna.run(&["compare", "./a", "./b", "--html", "a"]).exits(2).says("directory");
}
