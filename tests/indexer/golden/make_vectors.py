"""Makes small files of vectors in every layout: `python tests/indexer/golden/make_vectors.py`.

They stay as they were written, so that what was readable once stays so.
"""

import json
import sys
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

HERE = Path(__file__).parent
sys.path[:0] = [str(HERE.parents[2]), str(HERE.parent)]

import vector_sky as sky  # noqa: E402

if __name__ == "__main__":
    target = HERE / "vectors"
    vectors, table = sky.sky(4, seed=1)
    for layout in sky.LAYOUTS:
        sky.write(target / layout.replace(" ", "-"), layout, vectors, table)
    hats = pa.table({"embedding": sky.column("fixed lists", vectors), **table})
    folder = target / "hats" / "dataset"
    (folder / "Norder=0" / "Dir=0").mkdir(parents=True, exist_ok=True)
    pq.write_table(hats, folder / "Norder=0" / "Dir=0" / "Npix=4.parquet")
    pq.write_metadata(hats.schema, folder / "_common_metadata")
    expected = {
        "object_id": [str(each) for each in table["object_id"]],
        "ra_deg": table["ra"].tolist(),
        "dec_deg": table["dec"].tolist(),
        "vectors": vectors.astype(np.float64).tolist(),
    }
    (target / "expected.json").write_text(json.dumps(expected, indent=1) + "\n")
