//! What kind of device a User-Agent claims to be. Pure.
//!
//! By the words that browsers, televisions and their makers have kept for years, not by a list of models: every viewer is
//! exactly one of desktop, mobile and television; a tablet is mobile too, as it is for CloudFront.

/// What a device is; several may be true.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Device {
    pub(super) android: bool,
    pub(super) desktop: bool,
    pub(super) ios: bool,
    pub(super) mobile: bool,
    pub(super) smart_tv: bool,
    pub(super) tablet: bool,
}

const TELEVISIONS: [&[u8]; 16] = [
    b"smart-tv",
    b"smarttv",
    b"smart_tv",
    b"appletv",
    b"apple tv",
    b"googletv",
    b"google tv",
    b"android tv",
    b"hbbtv",
    b"roku",
    b"bravia",
    b"netcast",
    b"web0s",
    b"viera",
    b"crkey",
    b"dtv",
];
const TABLETS: [&[u8]; 6] = [b"ipad", b"tablet", b"kindle", b"silk/", b"playbook", b"nexus 7"];
const PHONES: [&[u8]; 8] =
    [b"mobi", b"iphone", b"ipod", b"windows phone", b"blackberry", b"opera mini", b"bb10", b"symbian"];
const APPLE: [&[u8]; 3] = [b"ipad", b"iphone", b"ipod"];

/// Judges a User-Agent; an empty one is a desktop's.
pub(super) fn of(user_agent: &[u8]) -> Device {
    let agent = user_agent.to_ascii_lowercase();
    let says = |word: &[u8]| agent.windows(word.len()).any(|part| part == word);
    let any = |words: &[&[u8]]| words.iter().any(|word| says(word));
    let android = says(b"android");
    // `AFTB`, `AFTMM`: Fire TV models, told from words such as "after" and "raft" by what stands around them.
    let fire_tv = user_agent.windows(5).any(|part| part.starts_with(b" AFT") && part[4].is_ascii_uppercase());
    let smart_tv = fire_tv || any(&TELEVISIONS) || (says(b"tizen") && says(b"tv"));
    // Android without "Mobile" is a tablet, unless it is a television.
    let tablet = !smart_tv && (any(&TABLETS) || (android && !says(b"mobi")));
    let mobile = !smart_tv && (tablet || any(&PHONES));
    Device { android, ios: any(&APPLE), smart_tv, tablet, mobile, desktop: !smart_tv && !mobile }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn words(user_agent: &str) -> Vec<&'static str> {
        let device = of(user_agent.as_bytes());
        let flags = [
            (device.android, "android"),
            (device.desktop, "desktop"),
            (device.ios, "ios"),
            (device.mobile, "mobile"),
            (device.smart_tv, "tv"),
            (device.tablet, "tablet"),
        ];
        flags.iter().filter(|(set, _)| *set).map(|(_, word)| *word).collect()
    }

    #[test]
    fn devices() {
        for (user_agent, expected) in [
            ("", &["desktop"][..]),
            ("curl/8.5.0", &["desktop"]),
            (
                "Mozilla/5.0 (Windows NT 10.0; Win64; x64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/126.0 Safari/537.36",
                &["desktop"],
            ),
            (
                "Mozilla/5.0 (Macintosh; Intel Mac OS X 14_5) AppleWebKit/605.1.15 Version/17.5 Safari/605.1.15",
                &["desktop"],
            ),
            (
                "Mozilla/5.0 (iPhone; CPU iPhone OS 17_5 like Mac OS X) Version/17.5 Mobile/15E148 Safari/604.1",
                &["ios", "mobile"],
            ),
            (
                "Mozilla/5.0 (iPad; CPU OS 17_5 like Mac OS X) Version/17.5 Mobile/15E148 Safari/604.1",
                &["ios", "mobile", "tablet"],
            ),
            ("Mozilla/5.0 (Linux; Android 14; Pixel 8) Chrome/126.0 Mobile Safari/537.36", &["android", "mobile"]),
            ("Mozilla/5.0 (Linux; Android 14; SM-X710) Chrome/126.0 Safari/537.36", &["android", "mobile", "tablet"]),
            ("Mozilla/5.0 (Linux; Android 9; AFTMM) AppleWebKit/537.36 Chrome/110.0 Safari/537.36", &["android", "tv"]),
            (
                "Mozilla/5.0 (SMART-TV; Linux; Tizen 6.0) AppleWebKit/537.36 SamsungBrowser/4.0 TV Safari/537.36",
                &["tv"],
            ),
            ("Mozilla/5.0 (Web0S; Linux/SmartTV) AppleWebKit/537.36 Chrome/94.0 Safari/537.36", &["tv"]),
            ("Roku/DVP-12.5 (12.5.0)", &["tv"]),
            ("daft after RAFT", &["desktop"]),
        ] {
            assert_eq!(words(user_agent), expected, "{user_agent}");
        }
    }

    proptest! {
        #[test]
        fn every_viewer_is_one_of_three(user_agent in prop::collection::vec(any::<u8>(), 0..200)) {
            let device = of(&user_agent);
            prop_assert_eq!(u8::from(device.desktop) + u8::from(device.mobile) + u8::from(device.smart_tv), 1);
            prop_assert!(!device.tablet || device.mobile);
        }
    }
}
