import subprocess
import sys


def test_the_package_needs_torch_alone() -> None:
    code = (
        "import sys, pipelines.contrast\n"
        "heavy = {'sentence_transformers', 'transformers', 'pandas', 'pyarrow', 'faiss', 'lightning_fabric', 'typer'}\n"
        "print(sorted(heavy & set(sys.modules)))"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"
