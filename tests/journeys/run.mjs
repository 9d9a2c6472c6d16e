// node ../tests/journeys/run.mjs, from web/, with HOPLAB_URL. HOPLAB_ONLY picks by name, HOPLAB_SHOTS says where pictures go.
import { runAll } from './harness.mjs'
import './playground.mjs'
import './pages.mjs'
import './looks.mjs'

process.exitCode = (await runAll()) ? 0 : 1
