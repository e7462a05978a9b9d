using System;
using System.Xml.Linq;

namespace Cccd
{
    /// <summary>A call that was not answered as asked: a problem, or nobody there.</summary>
    public abstract class CccdException : Exception
    {
        internal CccdException(string message, Exception inner) : base(message, inner)
        {
        }
    }

    /// <summary>The agent did not answer, or what answered is not the agent.</summary>
    public sealed class CccdUnreachable : CccdException
    {
        internal CccdUnreachable(string message, Exception inner = null) : base(message, inner)
        {
        }
    }

    /// <summary>
    /// A problem (RFC 9457) that the agent answered with. Decide by <see cref="Code"/>; show <see cref="TitleVi"/> and
    /// <see cref="RemedyVi"/> to the person at the desk.
    /// </summary>
    public sealed class CccdProblem : CccdException
    {
        private readonly XElement problem;

        internal CccdProblem(XElement problem) : base(problem.At("code") + ": " + problem.At("detail"), null)
        {
            this.problem = problem;
        }

        /// <summary>The stable name, such as <c>access-key-wrong</c>.</summary>
        public string Code { get { return problem.At("code"); } }

        /// <summary>The HTTP status.</summary>
        public int Status { get { return problem.NumberAt("status", 0); } }

        /// <summary>Whether the same request may succeed later.</summary>
        public bool Retryable { get { return problem.At("retryable") == "true"; } }

        /// <summary>Whose move it is: <c>user</c>, <c>operator</c>, <c>admin</c> or <c>integrator</c>.</summary>
        public string Actor { get { return problem.At("actor"); } }

        /// <summary>What happened.</summary>
        public string Title { get { return problem.At("title"); } }

        /// <summary>What happened, in Vietnamese.</summary>
        public string TitleVi { get { return problem.At("title_vi"); } }

        /// <summary>What to do.</summary>
        public string Remedy { get { return problem.At("remedy"); } }

        /// <summary>What to do, in Vietnamese.</summary>
        public string RemedyVi { get { return problem.At("remedy_vi"); } }

        /// <summary>The reading this is about, or null.</summary>
        public string ReadId { get { return problem.At("read_id"); } }

        /// <summary>How many tries of this kind of key the chip says are left; -1 where it does not.</summary>
        public int TriesLeft { get { return problem.NumberAt("tries_left", -1); } }

        /// <summary>The caller who has the reader, or null.</summary>
        public string HeldBy { get { return problem.At("held_by"); } }
    }
}
