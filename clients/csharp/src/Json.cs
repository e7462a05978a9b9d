using System.IO;
using System.Linq;
using System.Runtime.Serialization.Json;
using System.Text;
using System.Xml;
using System.Xml.Linq;

namespace Cccd
{
    /// <summary>
    /// JSON by the framework's own reader and writer, which show it as XML: a member is an element, what it is its
    /// attribute <c>type</c>. So the client needs no package, and every .NET since Framework 3.5 has them.
    /// </summary>
    internal static class Json
    {
        private const int Deepest = 64;

        internal static XElement Parse(byte[] text)
        {
            var quotas = new XmlDictionaryReaderQuotas
            {
                MaxDepth = Deepest,
                MaxStringContentLength = int.MaxValue,
                MaxArrayLength = int.MaxValue,
                MaxBytesPerRead = int.MaxValue,
                MaxNameTableCharCount = int.MaxValue,
            };
            try
            {
                using (var reader = JsonReaderWriterFactory.CreateJsonReader(text, quotas))
                {
                    return XElement.Load(reader);
                }
            }
            catch (XmlException error)
            {
                throw new CccdUnreachable("the answer is no JSON", error);
            }
        }

        internal static byte[] Write(XElement value)
        {
            using (var stream = new MemoryStream())
            {
                using (var writer = JsonReaderWriterFactory.CreateJsonWriter(stream, new UTF8Encoding(false), false))
                {
                    value.WriteTo(writer);
                }
                return stream.ToArray();
            }
        }

        internal static XElement Object(string name, params XElement[] members)
        {
            return new XElement(name, new XAttribute("type", "object"), members);
        }

        internal static XElement Text(string name, string value)
        {
            return new XElement(name, new XAttribute("type", "string"), value);
        }

        internal static XElement Number(string name, int value)
        {
            return new XElement(name, new XAttribute("type", "number"), value);
        }

        internal static XElement Boolean(string name, bool value)
        {
            return new XElement(name, new XAttribute("type", "boolean"), value);
        }

        /// <summary>The value at the end of these members, or null where there is none.</summary>
        internal static string At(this XElement value, params string[] path)
        {
            var found = path.Aggregate(value, (at, name) => at == null ? null : at.Element(name));
            if (found == null || found.HasElements)
            {
                return null;
            }
            var type = (string)found.Attribute("type");
            return type == "null" || type == "object" || type == "array" ? null : found.Value;
        }

        internal static int NumberAt(this XElement value, string name, int otherwise)
        {
            int number;
            return int.TryParse(value.At(name), out number) ? number : otherwise;
        }
    }
}
