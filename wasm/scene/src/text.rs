//! How wide a text is, so that boxes are made to fit it. Measured from the advance widths of the fonts that the pages
//! use (Atkinson Hyperlegible Next and JetBrains Mono); a margin allows for the system's fonts in their place.

/// The faces of the drawing.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Face {
    /// A pod's name: 12 px, weight 600.
    Name,
    /// A Service's or node's name: 13 px, weight 700.
    Title,
    /// A hook's name: 11 px, weight 600.
    Chip,
    /// Notes: 11 px, weight 400.
    Small,
    /// Addresses and devices: 11 px mono.
    Mono,
}

/// Advance widths of U+0020 to U+007E in thousandths of an em, Atkinson Hyperlegible Next, weight 400.
const REGULAR: [u16; 95] = [
    280, 286, 301, 651, 592, 919, 731, 160, 299, 299, 485, 606, 210, 362, 210, 387, 648, 407, 548, 576, 614,
    588, 598, 510, 615, 595, 210, 210, 553, 628, 553, 480, 778, 626, 613, 645, 669, 569, 552, 694, 694, 392,
    512, 631, 541, 824, 693, 714, 592, 724, 614, 592, 558, 690, 593, 856, 623, 575, 607, 317, 387, 344, 552,
    372, 243, 525, 566, 485, 564, 538, 314, 558, 550, 252, 245, 492, 262, 845, 550, 548, 566, 574, 349, 471,
    326, 540, 461, 684, 481, 449, 460, 344, 237, 344, 555,
];

/// The same, weight 600.
const SEMIBOLD: [u16; 95] = [
    303, 298, 362, 730, 604, 953, 727, 195, 324, 324, 485, 598, 252, 369, 253, 424, 656, 430, 569, 592, 621,
    602, 617, 529, 621, 578, 253, 253, 564, 617, 564, 526, 780, 662, 634, 654, 683, 589, 562, 711, 699, 415,
    546, 654, 548, 848, 710, 737, 617, 747, 639, 604, 592, 687, 628, 877, 666, 627, 615, 333, 424, 344, 573,
    391, 274, 544, 587, 502, 586, 555, 349, 582, 565, 285, 255, 536, 301, 870, 565, 567, 587, 591, 368, 497,
    360, 559, 509, 723, 522, 499, 492, 370, 249, 370, 543,
];

/// The same, weight 700.
const BOLD: [u16; 95] = [
    312, 303, 390, 765, 610, 969, 725, 210, 335, 335, 485, 595, 271, 373, 272, 440, 659, 440, 579, 600, 624,
    607, 626, 537, 624, 571, 272, 272, 569, 612, 569, 547, 781, 678, 643, 658, 688, 597, 566, 718, 701, 424,
    561, 663, 552, 858, 717, 746, 629, 756, 650, 610, 607, 686, 644, 886, 685, 650, 618, 340, 440, 344, 582,
    400, 288, 552, 596, 510, 596, 563, 365, 593, 571, 300, 259, 555, 318, 882, 571, 576, 596, 599, 376, 508,
    376, 567, 530, 740, 539, 521, 505, 381, 254, 381, 537,
];

/// Added to every measured width.
const MARGIN: f64 = 1.02;

/// Width in CSS pixels at 100 %.
pub(crate) fn width(text: &str, face: Face) -> f64 {
    let (table, size) = match face {
        Face::Name => (Some(&SEMIBOLD), 12.0),
        Face::Title => (Some(&BOLD), 13.0),
        Face::Chip => (Some(&SEMIBOLD), 11.0),
        Face::Small => (Some(&REGULAR), 11.0),
        Face::Mono => (None, 11.0),
    };
    let thousandths: u32 = text
        .chars()
        .map(|c| match (table, u32::from(c)) {
            (Some(table), code @ 0x20..=0x7e) => u32::from(table[code as usize - 0x20]),
            (None, 0x20..=0x24f) => 600,
            (Some(_), 0x80..=0x24f) => 660,
            // Not in the fonts: a fallback font, as wide as it may be.
            _ => 1000,
        })
        .sum();
    f64::from(thousandths) * size / 1000.0 * MARGIN
}

/// The text as it fits into `room` pixels: whole, or shortened in its middle so that both ends stay.
pub(crate) fn fitted(text: &str, face: Face, room: f64) -> String {
    if width(text, face) <= room {
        return text.to_owned();
    }
    let chars: Vec<char> = text.chars().collect();
    for kept in (4..chars.len()).rev() {
        let tail = 5.min(kept / 2);
        let mut short: String = chars[..kept - tail].iter().collect();
        short.push('…');
        short.extend(&chars[chars.len() - tail..]);
        if width(&short, face) <= room {
            return short;
        }
    }
    String::new()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_address_in_mono_is_as_wide_as_its_characters() {
        let one = width("0", Face::Mono);
        assert!((width("10.244.1.3", Face::Mono) - 10.0 * one).abs() < 1e-9);
        assert!((6.6..6.8).contains(&one));
    }

    #[test]
    fn both_ends_of_a_long_name_stay() {
        let short = fitted("recommendationservice-6b7d9f8c4-x2k4j", Face::Name, 120.0);
        assert!(short.starts_with("recomm") && short.ends_with("x2k4j"), "{short}");
        assert!(width(&short, Face::Name) <= 120.0);
        assert_eq!(fitted("web", Face::Name, 120.0), "web");
    }
}
