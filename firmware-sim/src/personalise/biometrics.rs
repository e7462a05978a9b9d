//! DG2 and DG3: biometric information templates around a face and two fingers (ICAO 9303-10, 4.7.2 and
//! 4.7.3; ISO/IEC 19785-3; ISO/IEC 19794-4 and 19794-5, editions of 2005).

use openssl::error::ErrorStack;
use openssl::hash::{MessageDigest, hash};

use super::der::{constructed, integer, tlv};
use super::description::Sex;
use super::portrait::{Colour, Portrait, PortraitFormat};

/// The bytes of DG2.
pub(super) fn data_group_2(portrait: &Portrait, sex: Sex) -> Vec<u8> {
    // Facial features, no subtype, format of ISO/IEC JTC 1 SC 37, facial record.
    let header = [tlv(0x81, &[0x02]), tlv(0x82, &[0x00]), tlv(0x87, &[1, 1]), tlv(0x88, &[0, 8])];
    group(0x75, &[template(&header, &facial_record(portrait, sex))])
}

/// The bytes of DG3. No finger left these prints: the image data are a hash, run on.
pub(super) fn data_group_3(seed: &[u8]) -> Result<Vec<u8>, ErrorStack> {
    let mut templates = Vec::new();
    // Right and left index: subtype of ISO/IEC 19785-3, finger position of ISO/IEC 19794-4.
    for (subtype, position) in [(0x09, 2), (0x0A, 7)] {
        let header = [tlv(0x81, &[0x08]), tlv(0x82, &[subtype]), tlv(0x87, &[1, 1]), tlv(0x88, &[0, 7])];
        templates.push(template(&header, &finger_record(position, seed)?));
    }
    Ok(group(0x63, &templates))
}

fn group(tag: u32, templates: &[Vec<u8>]) -> Vec<u8> {
    let count = integer(u32::try_from(templates.len()).unwrap_or(u32::MAX));
    constructed(tag, &[constructed(0x7F61, &[count, templates.concat()])])
}

fn template(header: &[Vec<u8>], data: &[u8]) -> Vec<u8> {
    constructed(0x7F60, &[constructed(0xA1, header), tlv(0x5F2E, data)])
}

/// Facial record: header of 14 bytes, facial information of 20, image information of 12, the image
/// (ISO/IEC 19794-5:2005, 5.4 to 5.8).
fn facial_record(portrait: &Portrait, sex: Sex) -> Vec<u8> {
    let image = portrait.bytes();
    let gender = match sex {
        Sex::Unspecified => 0,
        Sex::Male => 1,
        Sex::Female => 2,
    };
    let data_type = match portrait.format() {
        PortraitFormat::Jpeg => 0,
        PortraitFormat::Jpeg2000 => 1,
    };
    let colour_space = match portrait.colour() {
        Colour::Rgb => 1,
        Colour::Grey => 3,
    };
    let (width, height) = portrait.size();
    let mut out = Vec::with_capacity(46 + image.len());
    out.extend(b"FAC\x00010\x00");
    out.extend(length(46, image));
    out.extend([0, 1]);

    out.extend(length(32, image));
    // No feature points; eye and hair colour, properties, expression and pose are not said.
    out.extend([0, 0, gender, 0, 0]);
    out.extend([0; 3 + 2 + 3 + 3]);

    // Full frontal.
    out.extend([1, data_type]);
    out.extend(width.to_be_bytes());
    out.extend(height.to_be_bytes());
    // Source: not said. Device type and quality: not said.
    out.extend([colour_space, 0, 0, 0, 0, 0]);
    out.extend(image);
    out
}

/// Finger image record: header of 32 bytes, one finger header of 14, the image (ISO/IEC 19794-4:2005, 7).
fn finger_record(position: u8, seed: &[u8]) -> Result<Vec<u8>, ErrorStack> {
    let mut image = vec![0xFF, 0xA0];
    for counter in 0..192u8 {
        image.extend_from_slice(&hash(MessageDigest::sha256(), &[seed, &[position, counter]].concat())?);
    }
    image.extend([0xFF, 0xA1]);

    let mut out = Vec::with_capacity(46 + image.len());
    out.extend(b"FIR\x00010\x00");
    // The record length has six bytes here.
    out.extend([0, 0]);
    out.extend(length(46, &image));
    // Capture device, acquisition level 31, one finger, pixels per centimetre, 197 of them each way.
    out.extend([0, 0, 0, 31, 1, 2, 0, 197, 0, 197, 0, 197, 0, 197]);
    // Eight bits, WSQ, reserved.
    out.extend([8, 2, 0, 0]);
    out.extend(length(14, &image));
    // Position, one view, the first, quality 80, live scan plain, 256 x 256, reserved.
    out.extend([position, 1, 1, 80, 0, 1, 0, 1, 0, 0]);
    out.extend(image);
    Ok(out)
}

/// Four bytes for the length of an image and the headers in front of it.
fn length(headers: usize, image: &[u8]) -> [u8; 4] {
    u32::try_from(headers + image.len()).unwrap_or(u32::MAX).to_be_bytes()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn face(file: &str, format: PortraitFormat) -> (Portrait, Vec<u8>) {
        let portrait = Portrait::find(file, format, None).unwrap();
        let group = data_group_2(&portrait, Sex::Female);
        (portrait, group)
    }

    #[test]
    fn a_face_lies_behind_84_bytes() {
        // What a public reader strips by count from real cards.
        let (portrait, group) = face("face-a.jpg", PortraitFormat::Jpeg);
        assert_eq!(&group[84..], portrait.bytes());
    }

    #[test]
    fn the_facial_record_states_its_lengths_and_its_image() {
        for (file, format, data_type, colour) in [
            ("face-a.jpg", PortraitFormat::Jpeg, 0, 1),
            ("face-b.jp2", PortraitFormat::Jpeg2000, 1, 1),
            ("face-c.jpg", PortraitFormat::Jpeg, 0, 3),
        ] {
            let (portrait, group) = face(file, format);
            let record = &group[38..];
            assert_eq!(&record[..8], b"FAC\x00010\x00");
            let number = |at: usize| u32::from_be_bytes(record[at..at + 4].try_into().unwrap()) as usize;
            assert_eq!(number(8), record.len());
            assert_eq!(number(14), record.len() - 14);
            assert_eq!(record[20], 2, "female");
            // Image information: full frontal, data type, 300, 400, colour space.
            assert_eq!(record[34..41], [1, data_type, 0x01, 0x2C, 0x01, 0x90, colour]);
            assert_eq!(&record[46..], portrait.bytes());
        }
    }

    #[test]
    fn fingers_differ_by_position_and_by_person_and_repeat_for_the_same() {
        let group = data_group_3(b"a").unwrap();
        assert_eq!(group, data_group_3(b"a").unwrap());
        assert_ne!(group, data_group_3(b"b").unwrap());
        assert_ne!(finger_record(2, b"a").unwrap(), finger_record(7, b"a").unwrap());
        let record = finger_record(2, b"a").unwrap();
        assert_eq!(u32::from_be_bytes(record[10..14].try_into().unwrap()) as usize, record.len());
        assert_eq!(u32::from_be_bytes(record[32..36].try_into().unwrap()) as usize, record.len() - 32);
        assert_eq!((&record[46..48], &record[record.len() - 2..]), (&[0xFF, 0xA0][..], &[0xFF, 0xA1][..]));
    }
}
