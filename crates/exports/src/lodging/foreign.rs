//! Foreign guests, in the portal's XML. No upload has proved the form; its names are those of one exporter.

use cccd_document::text::folded;
use quick_xml::Writer;
use quick_xml::events::{BytesDecl, BytesEnd, BytesStart, BytesText, Event};
use zeroize::Zeroizing;

use super::Guest;
use super::fill::printable;
use super::guest::printed;

/// Why foreign guests cannot be written.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum ForeignFault {
    /// A date of birth of which a part is unknown: how the form says that, no source tells.
    #[error("foreign guest {0}: the date of birth is not whole")]
    BirthIncomplete(usize),
    /// No number of a passport.
    #[error("foreign guest {0}: there is no passport number")]
    NoPassport(usize),
    /// It cannot be written.
    #[error("the form cannot be written")]
    Xml,
}

/// The foreign guests among these, as the form; `None` where there is none.
pub fn foreign_xml(guests: &[Guest]) -> Result<Option<Zeroizing<Vec<u8>>>, ForeignFault> {
    let foreign: Vec<_> = guests.iter().filter(|guest| guest.is_foreign()).collect();
    if foreign.is_empty() {
        return Ok(None);
    }
    for (number, guest) in (1..).zip(&foreign) {
        if guest.birth_date().day().is_none() {
            return Err(ForeignFault::BirthIncomplete(number));
        }
        if guest.document_number.is_empty() {
            return Err(ForeignFault::NoPassport(number));
        }
    }
    let mut out = Writer::new(Vec::with_capacity(1024 * (foreign.len() + 1)));
    write(&mut out, &foreign).ok_or(ForeignFault::Xml)?;
    Ok(Some(Zeroizing::new(out.into_inner())))
}

fn write(out: &mut Writer<Vec<u8>>, foreign: &[&Guest]) -> Option<()> {
    out.write_event(Event::Decl(BytesDecl::new("1.0", Some("UTF-8"), None))).ok()?;
    out.write_event(Event::Start(BytesStart::new("KHAI_BAO_TAM_TRU"))).ok()?;
    for (number, guest) in (1..).zip(foreign) {
        out.write_event(Event::Start(BytesStart::new("THONG_TIN_KHACH"))).ok()?;
        let sex = guest.sex.expose().get(..1).unwrap_or_default();
        let name = folded(guest.name.expose());
        for (element, text) in [
            ("so_thu_tu", number.to_string().as_str()),
            ("ho_ten", name.as_str()),
            ("ngay_sinh", guest.birth.expose()),
            // The whole date is known.
            ("ngay_sinh_dung_den", "D"),
            ("gioi_tinh", sex),
            ("ma_quoc_tich", guest.nationality.expose()),
            ("so_ho_chieu", guest.document_number.expose()),
            ("so_phong", &guest.stay.room),
            ("ngay_den", &printed(guest.stay.arrival)),
            ("ngay_di_du_kien", &printed(guest.stay.departure)),
        ] {
            out.write_event(Event::Start(BytesStart::new(element))).ok()?;
            out.write_event(Event::Text(BytesText::new(&printable(text)))).ok()?;
            out.write_event(Event::End(BytesEnd::new(element))).ok()?;
        }
        out.write_event(Event::End(BytesEnd::new("THONG_TIN_KHACH"))).ok()?;
    }
    out.write_event(Event::End(BytesEnd::new("KHAI_BAO_TAM_TRU"))).ok()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::lodging::guest::tests::line;
    use crate::lodging::guests_of_json_lines;

    #[test]
    fn foreign_guests_are_written_and_vietnamese_ones_are_not() {
        let lines =
            [line("Nguyễn Văn Mẫu", "VNM", "02/01/1990"), line("Eriksson Ánna & Co", "UTO", "12/08/1974")];
        let guests = guests_of_json_lines(&lines.join("\n")).unwrap();
        let xml = foreign_xml(&guests).unwrap().unwrap();
        assert_eq!(
            std::str::from_utf8(&xml).unwrap(),
            "<?xml version=\"1.0\" encoding=\"UTF-8\"?><KHAI_BAO_TAM_TRU><THONG_TIN_KHACH><so_thu_tu>1</so_thu_tu>\
             <ho_ten>ERIKSSON ANNA CO</ho_ten><ngay_sinh>12/08/1974</ngay_sinh>\
             <ngay_sinh_dung_den>D</ngay_sinh_dung_den><gioi_tinh>M</gioi_tinh><ma_quoc_tich>UTO</ma_quoc_tich>\
             <so_ho_chieu>090123456</so_ho_chieu><so_phong>101</so_phong><ngay_den>20/11/2026</ngay_den>\
             <ngay_di_du_kien>22/11/2026</ngay_di_du_kien></THONG_TIN_KHACH></KHAI_BAO_TAM_TRU>"
        );
        assert_eq!(foreign_xml(&guests[..1]).unwrap(), None);
    }

    #[test]
    fn what_the_form_cannot_say_is_refused() {
        let guests = guests_of_json_lines(&line("ERIKSSON", "UTO", "1974")).unwrap();
        assert_eq!(foreign_xml(&guests), Err(ForeignFault::BirthIncomplete(1)));
    }
}
