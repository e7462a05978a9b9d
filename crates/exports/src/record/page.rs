//! Where things stand on the pages. Everything is laid out first and drawn at the end.

use cccd_document::PersonalBytes;
use krilla::configure::{Archival, ConfigurationBuilder};
use krilla::geom::{PathBuilder, Point, Rect, Size, Transform};
use krilla::image::Image;
use krilla::metadata::{DateTime, Metadata};
use krilla::page::PageSettings;
use krilla::surface::Surface;
use krilla::{Document, SerializeSettings};
use qrcodegen::{QrCode, QrCodeEcc};
use time::{OffsetDateTime, UtcOffset};
use zeroize::Zeroizing;

use super::RecordFault;
use super::typesetting::{Face, Line};

/// A4, in points.
const PAGE: (f32, f32) = (595.28, 841.89);
const MARGIN: f32 = 56.0;
/// Where the second column of a field begins, from the margin.
const VALUE: f32 = 150.0;
/// The face: in the upper right corner, as wide as 3 cm.
const FACE: (f32, f32) = (85.0, 113.0);
const MOST_PAGES: usize = 20;
/// A code of 37 modules is 3 cm wide.
const CODE: f32 = 90.0;

/// What is drawn, and where.
enum Thing {
    Text { line: Line, bold: bool, size: f32, x: f32 },
    Picture { image: Image, size: (f32, f32), x: f32 },
    Code { code: QrCode, x: f32 },
}

/// Pages that are being laid out.
pub(super) struct Pages {
    regular: Face,
    bold: Face,
    /// Each thing with its upper edge.
    pages: Vec<Vec<(f32, Thing)>>,
    /// Where the next thing begins.
    y: f32,
    /// Down to where the face stands on the first page.
    face_until: f32,
}

impl Pages {
    pub(super) fn new() -> Result<Self, RecordFault> {
        Ok(Self {
            regular: Face::regular()?,
            bold: Face::semibold()?,
            pages: vec![Vec::new()],
            y: MARGIN,
            face_until: 0.0,
        })
    }

    pub(super) fn title(&mut self, text: &str) -> Result<(), RecordFault> {
        self.y += 10.0;
        self.text(text, true, 15.0, 0.0)?;
        self.y += 6.0;
        Ok(())
    }

    pub(super) fn heading(&mut self, text: &str) -> Result<(), RecordFault> {
        self.y += 10.0;
        self.text(text, true, 11.5, 0.0)?;
        self.y += 2.0;
        Ok(())
    }

    pub(super) fn small(&mut self, text: &str) -> Result<(), RecordFault> {
        self.text(text, false, 9.0, 0.0)
    }

    /// A label, and what it says beside it.
    pub(super) fn field(&mut self, label: &str, text: &str) -> Result<(), RecordFault> {
        let top = self.y;
        let page = self.pages.len();
        self.text_within(label, false, 9.5, 0.0, VALUE - 8.0)?;
        let after_label = self.y;
        if self.pages.len() == page {
            self.y = top;
        }
        self.text(text, true, 10.0, VALUE)?;
        if self.pages.len() == page {
            self.y = self.y.max(after_label);
        }
        self.y += 2.0;
        Ok(())
    }

    /// The face, beside what follows.
    pub(super) fn portrait(&mut self, bytes: &PersonalBytes, is_png: bool) -> Result<(), RecordFault> {
        let data = bytes.expose().to_vec().into();
        let image = if is_png { Image::from_png(data, false) } else { Image::from_jpeg(data, false) };
        let image = image.map_err(|_| RecordFault::Portrait)?;
        let (wide, high) = image.size();
        if wide == 0 || high == 0 {
            return Err(RecordFault::Portrait);
        }
        let scale = (FACE.0 / pixels(wide)).min(FACE.1 / pixels(high));
        let size = (pixels(wide) * scale, pixels(high) * scale);
        let x = PAGE.0 - MARGIN - size.0;
        self.face_until = self.y + size.1 + 8.0;
        let y = self.y;
        self.put(y, Thing::Picture { image, size, x });
        Ok(())
    }

    /// A QR code.
    pub(super) fn code(&mut self, text: &str) -> Result<(), RecordFault> {
        let code = QrCode::encode_text(text, QrCodeEcc::Medium).map_err(|_| RecordFault::TooLong)?;
        self.y += 8.0;
        self.room(CODE)?;
        let y = self.y;
        self.put(y, Thing::Code { code, x: MARGIN });
        self.y += CODE;
        Ok(())
    }

    fn text(&mut self, text: &str, bold: bool, size: f32, x: f32) -> Result<(), RecordFault> {
        self.text_within(text, bold, size, x, PAGE.0 - 2.0 * MARGIN - x)
    }

    fn text_within(
        &mut self,
        text: &str,
        bold: bool,
        size: f32,
        x: f32,
        width: f32,
    ) -> Result<(), RecordFault> {
        // Beside the face lines are shorter.
        let beside = self.pages.len() == 1 && self.y < self.face_until && width > VALUE;
        let width = if beside { width - FACE.0 - 10.0 } else { width };
        let face = if bold { &self.bold } else { &self.regular };
        let lines = face.lines(text, size, width)?;
        for line in lines {
            self.room(size * 1.35)?;
            let y = self.y;
            self.put(y, Thing::Text { line, bold, size, x: MARGIN + x });
            self.y += size * 1.35;
        }
        Ok(())
    }

    /// Goes on on another page where this one has no room.
    fn room(&mut self, height: f32) -> Result<(), RecordFault> {
        if self.y + height <= PAGE.1 - MARGIN {
            return Ok(());
        }
        if self.pages.len() == MOST_PAGES {
            return Err(RecordFault::TooLong);
        }
        self.pages.push(Vec::new());
        self.y = MARGIN;
        Ok(())
    }

    fn put(&mut self, y: f32, thing: Thing) {
        if let Some(page) = self.pages.last_mut() {
            page.push((y, thing));
        }
    }

    /// Draws everything.
    pub(super) fn finish(self, title: &str, at: OffsetDateTime) -> Result<Zeroizing<Vec<u8>>, RecordFault> {
        let archival = ConfigurationBuilder::new().with_archival_validator(Archival::A2_B).finish();
        let configuration = archival.map_err(|_| RecordFault::Pdf)?;
        let settings = SerializeSettings { configuration, ..SerializeSettings::default() };
        let mut document = Document::new_with(settings);
        let local = at.to_offset(UtcOffset::from_hms(7, 0, 0).unwrap_or(UtcOffset::UTC));
        let year = u16::try_from(local.year()).map_err(|_| RecordFault::Pdf)?;
        let moment = DateTime::new(year)
            .month(local.month().into())
            .day(local.day())
            .hour(local.hour())
            .minute(local.minute())
            .second(local.second())
            .utc_offset_hour(7)
            .utc_offset_minute(0);
        let metadata =
            Metadata::new().title(title.to_owned()).language("vi".to_owned()).creation_date(moment);
        document.set_metadata(metadata.creator("cccd-agent".to_owned()));
        for things in &self.pages {
            let settings = PageSettings::from_wh(PAGE.0, PAGE.1).ok_or(RecordFault::Pdf)?;
            let mut page = document.start_page_with(settings);
            let mut surface = page.surface();
            for (y, thing) in things {
                self.draw(&mut surface, *y, thing)?;
            }
            surface.finish();
            page.finish();
        }
        document.finish().map(Zeroizing::new).map_err(|_| RecordFault::Pdf)
    }

    fn draw(&self, surface: &mut Surface<'_>, y: f32, thing: &Thing) -> Result<(), RecordFault> {
        match thing {
            Thing::Text { line, bold, size, x } => {
                let face = if *bold { &self.bold } else { &self.regular };
                let start = Point::from_xy(*x, y + size);
                surface.draw_glyphs(start, &line.glyphs, face.font.clone(), &line.text, *size, false);
            }
            Thing::Picture { image, size, x } => {
                surface.push_transform(&Transform::from_translate(*x, y));
                let size = Size::from_wh(size.0, size.1).ok_or(RecordFault::Pdf)?;
                surface.draw_image(image.clone(), size);
                surface.pop();
            }
            Thing::Code { code, x } => {
                let modules = code.size();
                // Four modules of quiet zone on each side (ISO/IEC 18004, 6.3.8).
                let module = CODE / small(modules + 8);
                let mut path = PathBuilder::new();
                for row in 0..modules {
                    for column in 0..modules {
                        if code.get_module(column, row) {
                            let (left, top) = (x + small(column + 4) * module, y + small(row + 4) * module);
                            let square = Rect::from_xywh(left, top, module, module);
                            path.push_rect(square.ok_or(RecordFault::Pdf)?);
                        }
                    }
                }
                surface.draw_path(&path.finish().ok_or(RecordFault::Pdf)?);
            }
        }
        Ok(())
    }
}

/// A number of modules: at most 177.
fn small(number: i32) -> f32 {
    f32::from(u8::try_from(number).unwrap_or(u8::MAX))
}

/// A number of pixels of a portrait: what is more than 65535 is none.
fn pixels(number: u32) -> f32 {
    f32::from(u16::try_from(number).unwrap_or(u16::MAX))
}
