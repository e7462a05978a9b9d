using System;
using System.Text;
using System.Threading;
using System.Threading.Tasks;

namespace Cccd
{
    /// <summary>A reader kept for one caller, asked for again three times per term until it is released.</summary>
    public sealed class Lease
    {
        private readonly CccdAgent agent;
        private readonly string path;
        private readonly int seconds;
        private readonly Action<CccdProblem> onLost;
        private readonly CancellationTokenSource over = new CancellationTokenSource();
        private Task beating;

        private Lease(CccdAgent agent, string path, int seconds, Action<CccdProblem> onLost)
        {
            this.agent = agent;
            this.path = path;
            this.seconds = seconds;
            this.onLost = onLost;
        }

        internal static async Task<Lease> TakeAsync(
            CccdAgent agent, string path, int seconds, Action<CccdProblem> onLost)
        {
            var lease = new Lease(agent, path, seconds, onLost);
            await lease.AskAsync(CancellationToken.None).ConfigureAwait(false);
            lease.beating = Task.Run(() => lease.BeatAsync());
            return lease;
        }

        /// <summary>Gives the reader back.</summary>
        public async Task ReleaseAsync()
        {
            over.Cancel();
            await beating.ConfigureAwait(false);
            await agent.SendAsync("DELETE", path).ConfigureAwait(false);
        }

        private Task AskAsync(CancellationToken cancel)
        {
            var body = Encoding.ASCII.GetBytes("{\"seconds\":" + seconds + "}");
            return agent.SendAsync("POST", path, "application/json", body, cancel: cancel);
        }

        private async Task BeatAsync()
        {
            while (true)
            {
                try
                {
                    await Task.Delay(TimeSpan.FromSeconds(seconds / 3.0), over.Token).ConfigureAwait(false);
                    await AskAsync(over.Token).ConfigureAwait(false);
                }
                catch (OperationCanceledException)
                {
                    return;
                }
                catch (CccdProblem problem)
                {
                    if (onLost != null)
                    {
                        onLost(problem);
                    }
                    return;
                }
                catch (CccdUnreachable)
                {
                    // What is no answer may be over by the next beat; an answer is the agent's word.
                }
            }
        }
    }
}
